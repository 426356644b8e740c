// Takes images out of a layout directory: first their entries in index.json, then the blobs that nothing else in the layout needs.
// What is to be deleted is written down before the index changes: a kill in between leaves no blob for ever, as the next one who
// works in the layout deletes it.

import { readdir, rm } from "node:fs/promises";
import type { Dirent } from "node:fs";
import { join } from "node:path";

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decodeUtf8 } from "@teu/base/utf8";
import { fileError } from "@teu/files/addon";
import { makeDirectory } from "@teu/files/make-directory";
import { removeAbandoned, replaceFile } from "@teu/files/replace-file";
import { type Descriptor, DOCUMENT_LIMITS, type ImageIndex, parseIndex, parseManifest } from "@teu/specs/image";
import { parseJson } from "@teu/specs/json";

import { type Digest, isDigest, parseDigest } from "../digest.ts";
import { DiskContentStore } from "../disk-content-store.ts";
import { childrenOf, isIndexType, isManifestType } from "../documents.ts";
import { changeLayoutIndex, readLayoutFile, readLayoutIndex } from "./layout-directory.ts";
import { IMAGE_NAME, REF_NAME } from "./layout-files.ts";

/** What is still to be deleted after a kill. */
const REMOVAL_FILE = "ingest/removal";
/** As large as an index may be, which names as much. */
const REMOVAL_LIMIT = 16 << 20;

/** What went. */
export interface Removal {
  /** Entries of the index, as they were. */
  readonly entries: readonly Descriptor[];
  /** Blobs. */
  readonly blobs: number;
  /** Their bytes. */
  readonly bytes: number;
}

/**
 * Removes the entries that `choose` names, and what only refers to what they stood for. The caller holds writers off.
 * @throws TeuError by errno, `invalid` and `corrupt` when it cannot be known what the other images need: then nothing is removed.
 */
export async function removeEntries(
  scope: Scope,
  directory: string,
  choose: (entries: readonly Descriptor[]) => readonly Descriptor[],
): Promise<Removal> {
  await finishRemoval(scope, directory);
  await checkOwnBlobs(directory);
  const removed: Descriptor[] = [];
  let doomed: readonly Digest[] = [];
  await changeLayoutIndex(scope, directory, async (present) => {
    removed.push(...choose(present.manifests));
    const plan = await planRemoval(scope, DiskContentStore.readOnly(directory), present, removed);
    ({ doomed } = plan);
    if (doomed.length > 0) {
      makeDirectory(join(directory, "ingest"), 0o700);
      await replaceFile(join(directory, REMOVAL_FILE), JSON.stringify(doomed));
    }
    return plan.index;
  });
  return { entries: removed, ...(await deleteBlobs(scope, directory, doomed)) };
}

/** Deletes what a removal that was killed had no time for, as far as nothing needs it now. The caller holds writers off. */
export async function finishRemoval(scope: Scope, directory: string): Promise<void> {
  if (!(await isUnfinished(directory))) return;
  await removeAbandoned(join(directory, REMOVAL_FILE));
  const left = readRemoval(join(directory, REMOVAL_FILE));
  const { manifests } = await readLayoutIndex(scope, directory);
  const needed = await reachable(scope, DiskContentStore.readOnly(directory), manifests, false);
  await deleteBlobs(
    scope,
    directory,
    left.filter((digest) => !needed.has(digest)),
  );
}

/** The index without the entries, and the blobs that were theirs alone. */
async function planRemoval(
  scope: Scope,
  store: DiskContentStore,
  present: ImageIndex,
  removed: readonly Descriptor[],
): Promise<{ readonly index: ImageIndex; readonly doomed: readonly Digest[] }> {
  const entries = new Set(removed);
  for (;;) {
    const kept = present.manifests.filter((entry) => !entries.has(entry));
    const needed = await reachable(scope, store, kept, false);
    const gone = await reachable(scope, store, [...entries], true);
    const doomed = [...gone].filter((digest) => !needed.has(digest));
    const referrers = await referrersOf(scope, store, kept, new Set(doomed));
    if (referrers.length === 0) return { index: { ...present, manifests: kept }, doomed };
    for (const entry of referrers) entries.add(entry);
  }
}

/** Entries without a name whose subject goes: signatures and the like, which would be of nothing. */
async function referrersOf(
  scope: Scope,
  store: DiskContentStore,
  entries: readonly Descriptor[],
  gone: ReadonlySet<string>,
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  for (const entry of entries) {
    const { annotations, mediaType } = entry;
    if (annotations?.[REF_NAME] !== undefined || annotations?.[IMAGE_NAME] !== undefined) continue;
    const isIndex = isIndexType(mediaType);
    if (!isIndex && !isManifestType(mediaType)) continue;
    const digest = parseDigest(entry.digest);
    if ((await store.info(scope, digest)) === null) continue;
    const bytes = await store.readAll(scope, digest, DOCUMENT_LIMITS.manifest);
    const { subject } = isIndex ? parseIndex(bytes) : parseManifest(bytes);
    if (subject !== undefined && gone.has(subject.digest)) found.push(entry);
  }
  return found;
}

/**
 * All digests that lead on from `roots`; what is missing ends its branch. `lenient`: so does a document that cannot be read, as of
 * an image that is to go; of one that stays it would hide what that image needs.
 */
async function reachable(
  scope: Scope,
  store: DiskContentStore,
  roots: readonly Descriptor[],
  lenient: boolean,
): Promise<ReadonlySet<Digest>> {
  const seen = new Set<Digest>();
  const left = [...roots];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const digest = parseDigest(next.digest);
    if (seen.has(digest)) continue;
    seen.add(digest);
    if (!(isIndexType(next.mediaType) || isManifestType(next.mediaType))) continue;
    if ((await store.info(scope, digest)) === null) continue;
    try {
      left.push(...(await childrenOf(scope, store, next)));
    } catch (error) {
      if (!lenient || !(isTeuError(error, "corrupt") || isTeuError(error, "invalid"))) throw error;
    }
  }
  return seen;
}

async function deleteBlobs(
  scope: Scope,
  directory: string,
  digests: readonly Digest[],
): Promise<Pick<Removal, "blobs" | "bytes">> {
  const store = DiskContentStore.readOnly(directory);
  let [blobs, bytes] = [0, 0];
  for (const digest of digests) {
    const info = await store.info(scope, digest);
    if (info === null || !(await store.delete(scope, digest))) continue;
    blobs++;
    bytes += info.size;
  }
  await rm(join(directory, REMOVAL_FILE), { force: true });
  return { blobs, bytes };
}

/** Where several layouts share blobs by a link, what this one does not need may be another one's. */
async function checkOwnBlobs(directory: string): Promise<void> {
  for (const at of ["", "blobs"]) {
    for (const entry of await listed(join(directory, at))) {
      if (!entry.isSymbolicLink() || (at === "" && entry.name !== "blobs")) continue;
      throw new TeuError({
        code: "unsupported",
        op: "remove image",
        subject: directory,
        message: `${join(at, entry.name)} is a link: what is in it may be needed elsewhere`,
      });
    }
  }
}

/** Whether a removal was killed here. */
export async function isUnfinished(directory: string): Promise<boolean> {
  return (await listed(join(directory, "ingest"))).some(({ name }) => name.includes("removal"));
}

async function listed(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw fileError("read image layout", directory, error);
  }
}

/** Nothing, when the file is absent or was never whole. */
function readRemoval(path: string): readonly Digest[] {
  let bytes: Uint8Array;
  try {
    bytes = readLayoutFile(path, REMOVAL_LIMIT);
  } catch (error) {
    if (isTeuError(error, "not-found")) return [];
    throw error;
  }
  const value = parseJson(decodeUtf8(bytes, "read removal"), { document: "removal", maxLength: REMOVAL_LIMIT });
  return Array.isArray(value) ? value.filter((item): item is Digest => typeof item === "string" && isDigest(item)) : [];
}
