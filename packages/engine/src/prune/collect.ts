// Garbage collection: layers and blobs that no image, workspace, cache entry or living lease needs, and what killed processes left.
// Safe beside running pulls and builds: see store/lease-rows.ts and store/garbage.ts.

import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import { GONE, moveAway, removeMoved, scratchOwner } from "../snapshots/directory.ts";
import { sweepMounts } from "../images/mount.ts";
import { hasContainer } from "../store/container-rows.ts";
import type { Database } from "../store/database.ts";
import { collectBlobs, collectLayers } from "../store/garbage.ts";
import { endOwedLeases } from "../store/hold-lease.ts";
import { deleteWorkspace, getLayer, getWorkspace, orphanedWorkspaces } from "../store/layer-rows.ts";
import { expireLeases } from "../store/lease-rows.ts";
import { ownerAlive } from "../store/owner.ts";
import { chainIdOfName, type EnginePaths } from "../store/paths.ts";

/** What collection works on. */
export interface CollectContext {
  readonly db: Database;
  readonly paths: EnginePaths;
  readonly content: ContentStore;
}

/** What was collected. */
export interface Collected {
  readonly layers: readonly Digest[];
  readonly blobs: readonly Digest[];
  /** Bytes. */
  readonly reclaimed: number;
}

/** Collects everything that nothing needs. */
export async function collectGarbage(scope: Scope, context: CollectContext): Promise<Collected> {
  const { db } = context;
  endOwedLeases(db);
  expireLeases(db, scope.now());
  sweepMounts(context);
  for (const key of orphanedWorkspaces(db)) deleteWorkspace(db, key);
  const layers = collectAllLayers(db);
  const blobs = await sweepBlobs(scope, context);
  await sweepDirectories(scope, context);
  return { layers: layers.gone, blobs: blobs.gone, reclaimed: layers.bytes + blobs.bytes };
}

/** Rows only: a row without its directory would be a layer that is not whole. The directories are swept, as those of killed processes. */
function collectAllLayers(db: Database): { gone: Digest[]; bytes: number } {
  const gone: Digest[] = [];
  let bytes = 0;
  // From the top down: a layer goes when nothing stands on it any more.
  for (;;) {
    const batch = collectLayers(db);
    if (batch.length === 0) return { gone, bytes };
    for (const { chainId, size } of batch) {
      gone.push(chainId);
      bytes += size;
    }
  }
}

async function sweepBlobs(scope: Scope, { db, content }: CollectContext): Promise<{ gone: Digest[]; bytes: number }> {
  const sizes = new Map<Digest, number>();
  for await (const { digest, size } of content.list(scope)) sizes.set(digest, size);
  const gone: Digest[] = [];
  // Gone at once, inside the transaction that saw that nobody needs it.
  collectBlobs(
    db,
    [...sizes.keys()],
    (digest) => bornAt(content, digest),
    (digest) => {
      rmSync(content.path?.(digest) ?? "", { force: true });
      gone.push(digest);
    },
  );
  return { gone, bytes: gone.reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0) };
}

function bornAt(content: ContentStore, digest: Digest): number | null {
  const path = content.path?.(digest);
  // ctime: a blob's file is renamed to its place when it is whole.
  return path === undefined ? null : (statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? null);
}

/**
 * Directories without a row, locks of containers without one, and scratch whose process is dead. Rows of workspaces and containers
 * go before their directories; those of containers come with them, in one transaction, so that this one sees both or neither.
 * Volumes are not swept: their rows may be lost at a power cut, and what they hold must not.
 */
async function sweepDirectories(scope: Scope, { db, paths }: CollectContext): Promise<void> {
  db.transaction(() => {
    for (const key of readdirSync(paths.workspaces)) {
      if (getWorkspace(db, key) === null) moveAway(paths.workspace(key), paths.scratch);
    }
    for (const id of readdirSync(paths.containers)) {
      if (!hasContainer(db, id)) moveAway(paths.container(id).directory, paths.scratch);
    }
    for (const id of readdirSync(paths.locks)) {
      if (!hasContainer(db, id)) rmSync(paths.container(id).lock, { force: true });
    }
  });
  for (const name of readdirSync(paths.layers)) {
    // Layers are made directory first: inside a transaction, so that this one sees both or neither.
    db.transaction(() => {
      if (getLayer(db, chainIdOfName(name)) === null) moveAway(join(paths.layers, name), paths.scratch);
    });
  }
  for (const name of readdirSync(paths.scratch)) {
    if (name.endsWith(GONE) || !ownerAlive(scratchOwner(name))) await removeMoved(scope, join(paths.scratch, name));
  }
}
