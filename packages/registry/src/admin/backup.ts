// `teu registry backup`: a registry's directory copied while it serves, consistent as of one moment. The copy has the same form: it
// can be verified, and even served. Doing it again into the same directory brings only what is new, and drops what is gone.
//
// Blobs first, index last: whenever this is killed, the directory holds an index with all its blobs, the old one or the new one.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rename, rm, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import { SqliteMetadata } from "../metadata/sqlite-metadata.ts";
import { lockRoot } from "../serve-lock.ts";
import { bringFile } from "../storage/bring-file.ts";
import { DiskBlobStorage } from "../storage/disk-blob-storage.ts";
import { isErrno } from "../storage/file-error.ts";
import { checkBackupTarget } from "./backup-target.ts";
import { INDEX, type OpenRoot } from "./open-root.ts";

/** How to copy. */
export interface BackupOptions {
  /** Hard links instead of copies where the file system can. Default false: damage to one file is then damage to both. */
  readonly link?: boolean;
}

/** What was copied. */
export interface BackupReport {
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that were there already. */
  readonly kept: number;
  /** Blobs that are gone since the last backup. */
  readonly dropped: number;
}

const PAGE = 500;
/** A blob may be freed between the copy of the index and its own; then all is looked at once more. */
const TRIES = 10;

/** Copies into a directory, made when missing. @throws TeuError as `checkBackupTarget`; `corrupt` for a damaged blob. */
export async function backup(
  scope: Scope,
  root: OpenRoot,
  directory: string,
  options: BackupOptions = {},
): Promise<BackupReport> {
  await checkBackupTarget(root, directory);
  const target = await DiskBlobStorage.open(scope, directory);
  using _ = lockRoot(directory);
  const counts = { blobs: 0, bytes: 0, kept: 0 };
  for (let tries = 0; tries < TRIES; tries++) {
    const copy = await copyIndex(scope, root.metadata, directory);
    try {
      const complete = await copyBlobs(scope, copy.metadata, { from: root.blobs, to: target, options, counts });
      await copy.metadata[Symbol.asyncDispose]();
      if (!complete) continue;
      await replaceIndex(copy.file, directory);
      return { ...counts, dropped: await dropOthers(scope, target, directory) };
    } finally {
      await copy[Symbol.asyncDispose]();
    }
  }
  throw new TeuError({
    code: "unavailable",
    op: "back up registry",
    subject: root.path,
    message: "blobs vanish faster than they are copied",
  });
}

/**
 * Makes a registry's directory out of a backup.
 * @throws TeuError `already-exists` when there is a registry, `conflict` when one is served there.
 */
export async function restore(
  scope: Scope,
  saved: OpenRoot,
  directory: string,
  options: BackupOptions = {},
): Promise<BackupReport> {
  if (existsSync(path.join(directory, INDEX)))
    throw new TeuError({
      code: "already-exists",
      op: "restore registry",
      subject: directory,
      message: `it has a ${INDEX}`,
      hint: "restore into an empty directory",
    });
  return await backup(scope, saved, directory, options);
}

interface IndexCopy extends AsyncDisposable {
  readonly file: string;
  readonly metadata: SqliteMetadata;
}

// Uploads under way and blobs that nobody has are no part of a backup.
async function copyIndex(scope: Scope, source: SqliteMetadata, directory: string): Promise<IndexCopy> {
  const file = path.join(directory, `.${INDEX}-${randomUUID()}`);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeDatabase(file));
  await source.copyTo(scope, file);
  const metadata = undo.use(SqliteMetadata.open(file));
  while ((await metadata.endIdleUploads(scope, Number.MAX_SAFE_INTEGER, PAGE)).length > 0);
  while ((await metadata.forgetOrphans(scope, Number.MAX_SAFE_INTEGER, PAGE, () => {})).length > 0);
  const owned = undo.move();
  return { file, metadata, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Copying {
  readonly from: DiskBlobStorage;
  readonly to: DiskBlobStorage;
  readonly options: BackupOptions;
  readonly counts: { blobs: number; bytes: number; kept: number };
}

/** False when a blob was not there any more. */
async function copyBlobs(scope: Scope, metadata: SqliteMetadata, work: Copying): Promise<boolean> {
  work.counts.kept = 0;
  let complete = true;
  for (let after = ""; ;) {
    const page = await metadata.listBlobs(scope, { after, limit: PAGE });
    for (const blob of page) complete = (await copyBlob(scope, blob, work)) && complete;
    if (page.length < PAGE) break;
    after = page.at(-1)?.digest ?? "";
  }
  await work.to.sync();
  return complete;
}

async function copyBlob(scope: Scope, { digest, size }: BlobInfo, work: Copying): Promise<boolean> {
  scope.check("back up registry");
  const { from, to, options, counts } = work;
  if ((await to.stat(scope, digest))?.size === size) {
    counts.kept++;
    return true;
  }
  const file = to.pathOf(digest);
  const part = path.join(path.dirname(file), `.part-${randomUUID()}`);
  try {
    await bringFile(from.pathOf(digest), part, { link: options.link ?? false, mode: 0o600 });
    await checkSize(part, digest, size);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
  counts.blobs++;
  counts.bytes += size;
  return true;
}

async function checkSize(file: string, digest: Digest, size: number): Promise<void> {
  const actual = (await stat(file)).size;
  if (actual === size) return;
  throw new TeuError({
    code: "corrupt",
    op: "back up registry",
    subject: digest,
    message: `the file has ${actual} bytes, the index says ${size}`,
    hint: "`teu registry verify` looks at everything",
  });
}

async function replaceIndex(file: string, directory: string): Promise<void> {
  // Closed databases have no write-ahead log; an older one would be taken for ours.
  for (const suffix of ["-wal", "-shm"]) await rm(path.join(directory, INDEX + suffix), { force: true });
  const handle = await open(file, "r+");
  await handle.sync();
  await handle.close();
  await rename(file, path.join(directory, INDEX));
  const parent = await open(directory, "r");
  await parent.sync();
  await parent.close();
}

async function dropOthers(scope: Scope, target: DiskBlobStorage, directory: string): Promise<number> {
  await using metadata = SqliteMetadata.open(path.join(directory, INDEX));
  let dropped = 0;
  for await (const digest of target.list(scope)) {
    if ((await metadata.blobState(scope, digest)) !== null) continue;
    await unlink(target.pathOf(digest));
    dropped++;
  }
  return dropped;
}

async function removeDatabase(file: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(file + suffix, { force: true });
}
