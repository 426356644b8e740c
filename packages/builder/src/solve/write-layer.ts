// A layer written by us rather than by a container: a workspace, filled, committed; gone again when anything fails.

import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import type { Layer } from "@teu/engine/snapshots/snapshots";
import type { Digest } from "@teu/image/digest";
import { randomHex } from "@teu/files/random";
import type { BuildSession } from "./session.ts";

/** Lets `fill` write into the upper directory of a workspace over `parent` and makes a layer of it. */
export async function writeLayer(
  scope: Scope,
  session: BuildSession,
  parent: Digest | null,
  fill: (upper: string) => Promise<void>,
): Promise<Layer> {
  const key = `build-${session.id}-${randomHex(6)}`;
  const workspace = await session.lease.snapshots.prepare(scope, key, parent);
  try {
    await fill(workspace.upper);
    return await session.lease.snapshots.commit(scope, key);
  } catch (error) {
    await session.lease.snapshots.remove(cleanupScope(scope, REMOVAL_PATIENCE), key);
    throw error;
  }
}
