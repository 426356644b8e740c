// Run state belongs to one boot. Where RUNROOT is not a tmpfs it survives a reboot, and must not be believed then.

import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Scope } from "@teu/base/scope";
import { FileLock } from "@teu/files/file-lock";
import { removeTreeSync } from "@teu/files/remove-tree";

import type { Database } from "./database.ts";
import { readIfThere } from "./file-places.ts";
import { networkHolders, releaseNetwork } from "./network-rows.ts";
import { bootId } from "./owner.ts";
import type { EnginePaths } from "./paths.ts";

/** Forgets run directories and allocations of an earlier boot. Cheap when there was none. Calls `settle` once after a boot. */
export async function forgetEarlierBoot(
  scope: Scope,
  db: Database,
  paths: EnginePaths,
  settle: () => Promise<void>,
): Promise<void> {
  const now = bootId();
  if (readIfThere(paths.boot) === now) return;
  using lock = await FileLock.acquire(scope, `${paths.boot}.lock`);
  if (readIfThere(paths.boot) === now) return;
  scope.log.debug("first command after boot", { lock: lock.path });
  for (const directory of [paths.runContainers, paths.locks]) {
    for (const id of readdirSync(directory)) removeTreeSync(join(directory, id));
  }
  for (const id of networkHolders(db)) releaseNetwork(db, id);
  await settle();
  // Last: a command killed before this line leaves all of it to the next one.
  writeFileSync(paths.boot, now);
}
