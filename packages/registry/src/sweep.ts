// Cleaning while the registry serves: ends idle uploads, lets go of blobs that nothing refers to, and deletes the bytes of
// blobs that no repository has. Nothing is locked but one digest at a time; whatever is younger than the grace time stays.

import type { Scope } from "@teu/base/scope";
import { BlobLocks } from "@teu/distribution/server/blob-locks";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

/** What a sweep works on, and how patient it is. Milliseconds. */
export interface SweepOptions {
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
  /** How long unreferenced blobs stay. */
  readonly grace: number;
  /** How long an upload may lie idle. */
  readonly uploadExpiry: number;
  /** Also look for bytes the index does not know (left by a crash): reads all names. */
  readonly strays?: boolean;
}

/** What a sweep did. */
export interface SweepResult {
  readonly uploads: number;
  readonly links: number;
  readonly blobs: number;
  /** Bytes freed. */
  readonly bytes: number;
}

/** Entries per transaction: requests come in between. */
const BATCH = 500;

/** Runs one sweep. Stopping it at any point is harmless. */
export async function sweep(scope: Scope, options: SweepOptions): Promise<SweepResult> {
  const now = scope.now();
  const uploads = await endIdleUploads(scope, options, now - options.uploadExpiry);
  let links = 0;
  let released = 0;
  do {
    released = await options.metadata.releaseUnusedBlobs(scope, now - options.grace, BATCH);
    links += released;
  } while (released === BATCH);
  const orphans = await deleteOrphans(scope, options, now - options.grace);
  const strays = options.strays === true ? await deleteStrays(scope, options) : { blobs: 0, bytes: 0 };
  return { uploads, links, blobs: orphans.blobs + strays.blobs, bytes: orphans.bytes + strays.bytes };
}

async function endIdleUploads(scope: Scope, { blobs, metadata }: SweepOptions, before: number): Promise<number> {
  let ended = 0;
  for (;;) {
    const ids = await metadata.idleUploads(scope, before, BATCH);
    for (const id of ids) {
      // First the bytes: a session without bytes answers "unknown", bytes without a session would stay.
      await blobs.deleteUpload(scope, id);
      if (await metadata.deleteUpload(scope, id)) ended++;
    }
    if (ids.length < BATCH) return ended;
  }
}

async function deleteOrphans(
  scope: Scope,
  { blobs, metadata }: SweepOptions,
  before: number,
): Promise<{ blobs: number; bytes: number }> {
  const result = { blobs: 0, bytes: 0 };
  for (;;) {
    const orphans = await metadata.orphanBlobs(scope, before, BATCH);
    for (const { digest, size } of orphans) {
      using _ = await BlobLocks.of(blobs).hold(digest);
      if (!(await metadata.forgetBlob(scope, digest))) continue;
      await blobs.delete(scope, digest);
      result.blobs++;
      result.bytes += size;
    }
    if (orphans.length < BATCH) return result;
  }
}

async function deleteStrays(
  scope: Scope,
  { blobs, metadata }: SweepOptions,
): Promise<{ blobs: number; bytes: number }> {
  const result = { blobs: 0, bytes: 0 };
  for await (const { digest, size } of blobs.list(scope)) {
    using _ = await BlobLocks.of(blobs).hold(digest);
    if (await metadata.knowsBlob(scope, digest)) continue;
    if (!(await blobs.delete(scope, digest))) continue;
    result.blobs++;
    result.bytes += size;
  }
  return result;
}
