// The host's side of a container's volumes and bind mounts, made before it starts.

import { existsSync, mkdirSync, renameSync } from "node:fs";

import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import { makeDirectory } from "@teu/files/make-directory";
import { UnionView } from "@teu/image/layer/union-view";

import { removeMoved, scratchPath } from "../snapshots/directory.ts";
import { workspaceOf } from "../snapshots/overlay-snapshots.ts";
import type { ContainerRow } from "../store/container-rows.ts";
import { ensureVolume } from "../store/volume-rows.ts";
import type { ContainerContext } from "./context.ts";

/** Makes what is missing. A new volume begins with what the container has at its target. */
export async function makeVolumes(scope: Scope, context: ContainerContext, row: ContainerRow): Promise<void> {
  for (const mount of row.settings.mounts) {
    if (mount.kind === "tmpfs") continue;
    if (mount.kind === "bind") {
      // As Docker's -v: what is not there becomes a directory.
      if (!existsSync(mount.source)) makeDirectory(mount.source, 0o755);
      continue;
    }
    ensureVolume(context.db, { name: mount.name, anonymous: mount.anonymous }, scope.now());
    const directory = context.paths.volume(mount.name);
    if (!existsSync(directory)) await makeVolume(scope, context, row, mount.target, directory);
  }
}

/** Under a name of this process first: a volume is there whole or not at all. */
async function makeVolume(
  scope: Scope,
  context: ContainerContext,
  row: ContainerRow,
  target: string,
  directory: string,
): Promise<void> {
  const { fillVolume } = await import("./fill-volume.ts");
  const { upper, lower } = workspaceOf(context.snapshots.context, row.id, row.chainId);
  const scratch = scratchPath(context.paths.scratch);
  mkdirSync(scratch, { mode: 0o755 });
  try {
    using view = UnionView.open(existsSync(upper) ? [upper, ...lower] : lower);
    await fillVolume(scope, view, target, scratch);
    renameSync(scratch, directory);
  } catch (error) {
    await removeMoved(cleanupScope(scope, REMOVAL_PATIENCE), scratch);
    // Another container made it meanwhile, and not empty: that one it is.
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
  }
}
