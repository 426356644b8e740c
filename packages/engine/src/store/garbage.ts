// What nothing needs, as queries over the tables. Roots: images (blobs and layers), workspaces, containers, the build cache, leases.
// Deleting is done inside the same write transaction as the question, so that a lease taken meanwhile is never overlooked.

import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { newBlobsKeptSince } from "./lease-rows.ts";

/** Most things deleted in one transaction: others wait for it. */
const BATCH = 64;

/** Chain ids that something needs, with their parents. */
const LIVE_LAYERS = `WITH RECURSIVE live(id) AS (
  SELECT chain_id FROM image WHERE chain_id IS NOT NULL
  UNION SELECT parent FROM workspace WHERE parent IS NOT NULL
  UNION SELECT chain_id FROM build_cache WHERE chain_id IS NOT NULL
  UNION SELECT digest FROM lease_item WHERE kind = 'layer'
  UNION SELECT layer.parent FROM live JOIN layer ON layer.chain_id = live.id WHERE layer.parent IS NOT NULL)`;

/** Removes a batch of layers that nothing needs and no layer stands on from the table; none: there are no more. */
export function collectLayers(db: Database): readonly { readonly chainId: Digest; readonly size: number }[] {
  return db.transaction(() => {
    const rows = db.all(
      `${LIVE_LAYERS} SELECT chain_id, size FROM layer WHERE chain_id NOT IN (SELECT id FROM live)
       AND NOT EXISTS (SELECT 1 FROM layer AS child WHERE child.parent = layer.chain_id) LIMIT ${BATCH}`,
    );
    for (const row of rows) db.run("DELETE FROM layer WHERE chain_id = ?", String(row["chain_id"]));
    return rows.map((row) => ({ chainId: String(row["chain_id"]) as Digest, size: Number(row["size"]) }));
  });
}

/** Whether something needs the blob: an image, a living layer (to push it again), or a lease. */
export function blobNeeded(db: Database, digest: string): boolean {
  return (
    db.get(
      `SELECT 1 WHERE EXISTS (SELECT 1 FROM image, json_each(image.blobs) WHERE json_each.value = ?1)
       OR EXISTS (SELECT 1 FROM image_name WHERE target_digest = ?1)
       OR EXISTS (SELECT 1 FROM image_index, json_each(image_index.blobs) WHERE json_each.value = ?1)
       OR EXISTS (SELECT 1 FROM layer WHERE blob_digest = ?1)
       OR EXISTS (SELECT 1 FROM lease_item WHERE kind = 'blob' AND digest = ?1)`,
      digest,
    ) !== undefined
  );
}

/** The clock of a file system ticks apart from ours. */
const CLOCK_SLACK = 2000;

/**
 * Calls `discard` for those of `digests` that nothing needs, while nobody can begin to need them.
 * `bornAt`: when the blob's file came to be, milliseconds since 1970; null when it is gone.
 */
export function collectBlobs(
  db: Database,
  digests: readonly Digest[],
  bornAt: (digest: Digest) => number | null,
  discard: (digest: Digest) => void,
): void {
  for (let start = 0; start < digests.length; start += BATCH) {
    db.transaction(() => {
      const keptSince = newBlobsKeptSince(db) ?? Infinity;
      for (const digest of digests.slice(start, start + BATCH)) {
        const born = bornAt(digest);
        if (born !== null && born < keptSince - CLOCK_SLACK && !blobNeeded(db, digest)) discard(digest);
      }
    });
  }
}
