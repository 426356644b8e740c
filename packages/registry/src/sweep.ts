// Cleaning while the registry serves, in this or in another process: ends idle uploads, removes what was marked as deleted, lets go
// of blobs that nothing refers to, and frees the bytes of blobs that no repository has.
// Nothing is locked: each step is one short transaction that looks again at all it relies on (docs/design/registry-storage.md).

import type { Scope } from "@teu/base/scope";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage, StepResult } from "@teu/distribution/server/metadata-storage";

/** What a sweep needs of the blob storage. */
export type SweepBlobs = Pick<
  BlobStorage,
  "list" | "stat" | "listUploads" | "retire" | "freeRetired" | "deleteUpload" | "makeRoom" | "keepRoom"
>;

/** Which changes of a tag stay: one does when either says so, or when it is younger than the grace time. The latest always does. */
export interface HistoryLimits {
  /** So many of the latest. */
  readonly keepLatest?: number;
  /** Those within this time, milliseconds. */
  readonly within?: number;
}

/** What a sweep works on, and how patient it is. Milliseconds. */
export interface SweepOptions {
  readonly blobs: SweepBlobs;
  readonly metadata: MetadataStorage;
  /** How long deleted manifests and unreferenced blobs stay. */
  readonly grace: number;
  /** How long an upload may lie idle. */
  readonly uploadExpiry: number;
  /** Also mark manifests as deleted that nothing needs (`MetadataStorage.markUntagged`). Default false. */
  readonly untagged?: boolean;
  /** Which changes of tags stay; absent: all. */
  readonly history?: HistoryLimits;
  /** Also look for bytes the index does not know (left by a crash): reads all names. */
  readonly strays?: boolean;
  /** What time it is, when that is not for the scope to say. */
  readonly now?: number;
}

/** What a sweep did. */
export interface SweepResult {
  readonly uploads: number;
  /** Manifests newly marked as deleted. */
  readonly marked: number;
  /** Manifests removed. */
  readonly manifests: number;
  /** Blobs taken out of a repository. */
  readonly links: number;
  /** Blobs deleted. */
  readonly blobs: number;
  /** Bytes freed. */
  readonly bytes: number;
  /** Changes of tags that were forgotten. */
  readonly changes: number;
}

/** Entries changed in one transaction, and entries looked at: both take a few milliseconds, and requests come in between. */
const BATCH = 200;
const LOOK = 1000;

/** Runs one sweep. Stopping it at any point is harmless; the next one goes on with what is left. */
export async function sweep(scope: Scope, options: SweepOptions): Promise<SweepResult> {
  const { blobs, metadata, grace, uploadExpiry } = options;
  const now = options.now ?? scope.now();
  const before = now - grace;
  // On a full disk the next steps need the room; likewise what an earlier sweep could not free.
  await blobs.makeRoom?.(scope);
  await blobs.freeRetired(scope);
  await metadata.flushPulls(scope);
  // By the wall clock, which wrote these times, and not by `now`, which may be behind it.
  await metadata.endFuture(scope);
  const changes = await trimHistory(scope, options, now);
  const uploads = await endIdleUploads(scope, options, now - uploadExpiry);
  const marked =
    options.untagged === true
      ? await inSteps((after) => metadata.markUntagged(scope, before, { ...after, limit: LOOK }))
      : 0;
  let manifests = 0;
  for (let purged = BATCH; purged === BATCH; manifests += purged) {
    purged = await metadata.purgeDeleted(scope, before, BATCH);
    await breathe();
  }
  const links = await inSteps((after) => metadata.releaseUnusedBlobs(scope, before, { ...after, limit: LOOK }));
  const orphans = await deleteOrphans(scope, options, before);
  const strays = options.strays === true ? await deleteStrays(scope, options) : { blobs: 0, bytes: 0 };
  await blobs.freeRetired(scope);
  await blobs.keepRoom?.(scope);
  return {
    uploads,
    marked,
    manifests,
    links,
    blobs: orphans.blobs + strays.blobs,
    bytes: orphans.bytes + strays.bytes,
    changes,
  };
}

// Undeleting needs to know of changes that are younger than the grace time.
async function trimHistory(scope: Scope, { metadata, history, grace }: SweepOptions, now: number): Promise<number> {
  const { keepLatest, within } = history ?? {};
  if (keepLatest === undefined && within === undefined) return 0;
  const before = now - Math.max(grace, within ?? 0);
  return inSteps((after) => metadata.trimHistory(scope, keepLatest ?? 1, before, { ...after, limit: LOOK }));
}

async function inSteps(step: (after: { after?: string }) => Promise<StepResult>): Promise<number> {
  let [count, next] = [0, undefined as string | undefined];
  for (;;) {
    const result = await step(next === undefined ? {} : { after: next });
    count += result.count;
    if (result.next === null) return count;
    next = result.next;
    await breathe();
  }
}

// The steps are synchronous inside: without this, requests of this process would wait for all of them.
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function endIdleUploads(scope: Scope, { blobs, metadata }: SweepOptions, before: number): Promise<number> {
  let ended = 0;
  for (;;) {
    const ids = await metadata.endIdleUploads(scope, before, BATCH);
    for (const id of ids) await blobs.deleteUpload(scope, id);
    ended += ids.length;
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
    const orphans = await metadata.forgetOrphans(scope, before, BATCH, ({ digest }) => void blobs.retire(digest));
    result.blobs += orphans.length;
    for (const { size } of orphans) result.bytes += size;
    if (orphans.length < BATCH) return result;
    await breathe();
  }
}

async function deleteStrays(
  scope: Scope,
  { blobs, metadata }: SweepOptions,
): Promise<{ blobs: number; bytes: number }> {
  const result = { blobs: 0, bytes: 0 };
  for await (const digest of blobs.list(scope)) {
    // Nearly all are known: the transaction that makes sure is for the others.
    if ((await metadata.blobState(scope, digest)) !== null) continue;
    const info = await blobs.stat(scope, digest);
    if (!(await metadata.forgetStray(scope, digest, () => blobs.retire(digest)))) continue;
    result.blobs++;
    result.bytes += info?.size ?? 0;
  }
  // The index hears of an upload before its file is made.
  for await (const id of blobs.listUploads(scope))
    if (!(await metadata.hasUpload(scope, id))) await blobs.deleteUpload(scope, id);
  return result;
}
