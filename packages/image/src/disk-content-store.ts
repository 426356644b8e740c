// The content store on disk. Safe for several processes; a kill at any instruction leaves no half blob visible,
// and what it leaves in ingest/ is removed by the next open, or gone on with.
//
//   DIR/
//     blobs/<algorithm>/<encoded>   whole, verified, mode 0444, never written again
//     ingest/tmp-<random>           being written; flocked by its writer
//     ingest/key-<sha256 of key>    resumable; flocked while written, kept RESUMABLE_DAYS otherwise
//
// An ingest becomes a blob by fsync, link, fsync of the directory, in that order.

import type { Dirent } from "node:fs";
import { type FileHandle, open, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";
import { randomHex } from "@teu/files/random";
import { readBuffer } from "@teu/files/read-buffer";
import { syncDirectory } from "@teu/files/replace-file";

import { adoptBlob } from "./adopt-blob.ts";
import { CHUNK_BYTES } from "./chunk-memory.ts";
import type { BlobInfo, BlobRange, ContentStore, Ingest, IngestOptions } from "./content-store.ts";
import { DiskIngest } from "./disk-ingest.ts";
import { type Digest, digestAlgorithm, digestEncoded, digestOf, isDigest } from "./digest.ts";
import { blobNotFound, blobTooLarge, resolveRange, shortened } from "./internal/blob-rules.ts";
import { BlobVerifier } from "./verified-stream.ts";

const RESUMABLE_DAYS = 7;

/** How a store writes. */
export interface DiskStoreOptions {
  /**
   * The names of new blobs need not survive a crash before `syncNames`: for who makes many, and makes them reachable afterwards.
   * Default false: each does when its `commit` or `adopt` returns.
   */
  readonly syncNamesLater?: boolean;
}

/** Blobs as files below one directory. Holds nothing open between calls: nothing to close. */
export class DiskContentStore implements ContentStore {
  /** The directory given to `open`. */
  readonly directory: string;
  /** Directories with new names, by path; null: each name is synced at once. */
  readonly #unsynced: Set<string> | null;

  private constructor(directory: string, { syncNamesLater = false }: DiskStoreOptions = {}) {
    this.directory = directory;
    this.#unsynced = syncNamesLater ? new Set() : null;
  }

  /**
   * Opens the store in `directory`, making it when missing, and removes what killed writers left.
   * @throws TeuError by errno; `unavailable` without the file addon.
   */
  static async open(directory: string, options?: DiskStoreOptions): Promise<DiskContentStore> {
    const store = new DiskContentStore(directory, options);
    try {
      makeDirectory(join(directory, "blobs", "sha256"), 0o755);
      makeDirectory(store.#ingestDirectory(), 0o700);
      await store.#sweep(Date.now() - RESUMABLE_DAYS * 86_400_000);
    } catch (error) {
      throw fileError("open content store", directory, error);
    }
    return store;
  }

  /** A store over blobs that exist, an OCI layout for one: nothing is made, nothing is swept, and it is only to be read. */
  static readOnly(directory: string): DiskContentStore {
    return new DiskContentStore(directory);
  }

  path(digest: Digest): string {
    return join(this.directory, "blobs", digestAlgorithm(digest), digestEncoded(digest));
  }

  async info(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    scope.check("look up blob");
    try {
      const found = await stat(this.path(digest));
      return found.isFile() ? { digest, size: found.size } : null;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw fileError("look up blob", digest, error);
    }
  }

  async *read(scope: Scope, digest: Digest, range?: BlobRange): AsyncIterable<Uint8Array> {
    scope.check("read blob");
    await using file = await this.#openBlob(digest);
    const { size } = await file.stat();
    const { start, end } = resolveRange(digest, size, range);
    const whole = start === 0 && end === size && range?.unverified !== true;
    const verifier = whole ? new BlobVerifier("read blob", { digest }) : null;
    for (let at = start; at < end;) {
      scope.check("read blob");
      const length = Math.min(CHUNK_BYTES, end - at);
      const chunk = await readChunk(file, digest, at, range?.memory?.next(length) ?? readBuffer(length));
      verifier?.update(chunk);
      yield chunk;
      at += chunk.length;
    }
    verifier?.finish();
  }

  async readAll(scope: Scope, digest: Digest, limit: number): Promise<Uint8Array> {
    const info = await this.info(scope, digest);
    if (info === null) throw blobNotFound(digest);
    if (info.size > limit) throw blobTooLarge(digest, info.size, limit);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(scope, digest)) chunks.push(chunk);
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  async ingest(scope: Scope, key: string, options: IngestOptions = {}): Promise<Ingest> {
    scope.check("write blob");
    const lock = options.resume === true ? this.#tryLock(this.#keyed(key)) : null;
    const held = lock ?? this.#lockTemp();
    return DiskIngest.start({
      key,
      options,
      lock: held,
      keeps: lock !== null,
      place: async (digest) => {
        const path = this.path(digest);
        makeDirectory(dirname(path), 0o755);
        return path;
      },
      named: (path) => this.#named(path),
    });
  }

  /**
   * Takes a blob over from a file on the same file system, as a second link to it: read once, nothing written. False when the
   * file could be changed by somebody else, or cannot be linked to: then it is to be copied.
   * @throws TeuError `corrupt` when the file is not the blob.
   */
  async adopt(scope: Scope, file: string, blob: BlobInfo): Promise<boolean> {
    if ((await this.info(scope, blob.digest)) !== null) return false;
    const path = this.path(blob.digest);
    makeDirectory(dirname(path), 0o755);
    if (!(await adoptBlob(scope, file, path, blob))) return false;
    await this.#named(path);
    // What an interrupted copy left of it.
    using lock = this.#tryLock(this.#keyed(blob.digest));
    if (lock !== null) await unlink(lock.path);
    return true;
  }

  /** Makes the names of all new blobs survive a crash (`syncNamesLater`). */
  async syncNames(): Promise<void> {
    for (const directory of this.#unsynced ?? []) {
      // Before: what is named meanwhile needs a sync of its own.
      this.#unsynced?.delete(directory);
      await syncDirectory(directory);
    }
  }

  async #named(path: string): Promise<void> {
    if (this.#unsynced === null) await syncDirectory(dirname(path));
    else this.#unsynced.add(dirname(path));
  }

  async delete(scope: Scope, digest: Digest): Promise<boolean> {
    scope.check("delete blob");
    try {
      await unlink(this.path(digest));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw fileError("delete blob", digest, error);
    }
  }

  async *list(scope: Scope): AsyncIterable<BlobInfo> {
    const blobs = join(this.directory, "blobs");
    for (const algorithm of await listDirectory(blobs)) {
      if (!algorithm.isDirectory()) continue;
      for (const entry of await listDirectory(join(blobs, algorithm.name))) {
        const digest = `${algorithm.name}:${entry.name}`;
        if (!entry.isFile() || !isDigest(digest)) continue;
        const info = await this.info(scope, digest);
        // Null: deleted while we walk.
        if (info !== null) yield info;
      }
    }
  }

  async dropInterrupted(scope: Scope): Promise<void> {
    scope.check("remove interrupted ingests");
    try {
      await this.#sweep(Number.POSITIVE_INFINITY);
    } catch (error) {
      throw fileError("remove interrupted ingests", this.directory, error);
    }
  }

  #ingestDirectory(): string {
    return join(this.directory, "ingest");
  }

  #keyed(key: string): string {
    return join(this.#ingestDirectory(), `key-${digestEncoded(digestOf(key))}`);
  }

  /** A writer of the same layout that has finished takes the empty directory away: it is made again. */
  #tryLock(path: string): FileLock | null {
    try {
      return FileLock.tryAcquire(path);
    } catch (error) {
      if (!isTeuError(error, "not-found")) throw error;
      makeDirectory(this.#ingestDirectory(), 0o700);
      return FileLock.tryAcquire(path);
    }
  }

  #lockTemp(): FileLock {
    for (;;) {
      const path = join(this.#ingestDirectory(), `tmp-${randomHex(12)}`);
      // Null: a sweep of another process saw it before it was locked, and is removing it.
      const lock = this.#tryLock(path);
      if (lock !== null) return lock;
    }
  }

  async #openBlob(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.path(digest), "r");
    } catch (error) {
      throw isAbsent(error) ? blobNotFound(digest) : fileError("read blob", digest, error);
    }
  }

  /** Removes ingests without a living writer: temporary and published ones, and resumable ones from before `oldest`. */
  async #sweep(oldest: number): Promise<void> {
    for (const { name } of await listDirectory(this.#ingestDirectory())) {
      // Writers of layouts have their own files here (layout/layout-writers.ts).
      if (!/^(?:tmp|key)-/.test(name)) continue;
      const path = join(this.#ingestDirectory(), name);
      if (name.startsWith("key-") && (await mayResume(path, oldest))) continue;
      using lock = FileLock.tryAcquire(path);
      if (lock !== null) await unlink(path);
    }
  }
}

async function readChunk(file: FileHandle, digest: Digest, at: number, buffer: Buffer): Promise<Uint8Array> {
  // Network file systems give less than was asked for.
  for (let have = 0; have < buffer.length;) {
    try {
      const { bytesRead } = await file.read(buffer, have, buffer.length - have, at + have);
      have += bytesRead;
      if (bytesRead > 0) continue;
    } catch (error) {
      throw fileError("read blob", digest, error);
    }
    throw shortened("read blob", digest);
  }
  return buffer;
}

/** A second link means that its writer was killed after it had become a blob: writing on would change that blob. */
async function mayResume(path: string, oldest: number): Promise<boolean> {
  try {
    const { mtimeMs, nlink } = await stat(path);
    return mtimeMs > oldest && nlink === 1;
  } catch (error) {
    if (isAbsent(error)) return true;
    throw error;
  }
}

async function listDirectory(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw fileError("list blobs", path, error);
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ENOENT";
}
