// The content store: blobs by digest. A blob is visible only after its digest was verified, and never changes.
// Every implementation passes content-store.suite.ts. Who may be deleted when (leases, garbage) is the engine's business.

import type { Scope } from "@teu/base/scope";

import type { ChunkMemory } from "./chunk-memory.ts";
import type { Digest } from "./digest.ts";

/** What is known of a stored blob. */
export interface BlobInfo {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What a blob must turn out to be; what is absent is not checked. */
export interface ExpectedBlob {
  readonly digest?: Digest;
  readonly size?: number;
}

/** How an ingest starts. */
export interface IngestOptions extends ExpectedBlob {
  /**
   * Continue what an earlier ingest with the same key left (`offset` says how much), and leave what was written
   * when disposed without commit. Default false: start empty, leave nothing.
   * While another process or task holds the key, this one starts empty and leaves nothing.
   */
  readonly resume?: boolean;
}

/** How content is read. */
export interface ReadOptions {
  /**
   * Where chunks of `CHUNK_BYTES` may take turns: the caller is done with each when it asks for the third one after it, and gives all
   * back when it is done with the last. Default: each chunk is new memory, and the caller's.
   */
  readonly memory?: ChunkMemory;
}

/** A part of a blob in bytes. */
export interface BlobRange extends ReadOptions {
  readonly offset?: number;
  readonly length?: number;
  /** The caller verifies the whole blob: a second digest over the same bytes would only cost time. */
  readonly unverified?: true;
}

/** Blobs by digest. Safe for several tasks and processes at once. */
export interface ContentStore {
  /** Null when absent. */
  info(scope: Scope, digest: Digest): Promise<BlobInfo | null>;
  /**
   * The bytes. A read of the whole blob is verified: the last chunk is followed by `corrupt` when the digest is wrong,
   * so nothing may be trusted before the end. A range is not verified.
   * @throws TeuError `not-found`, `corrupt`, `invalid` for a range outside the blob.
   */
  read(scope: Scope, digest: Digest, range?: BlobRange): AsyncIterable<Uint8Array>;
  /**
   * The whole blob, verified.
   * @throws TeuError `exhausted` when larger than `limit` bytes, else as `read`.
   */
  readAll(scope: Scope, digest: Digest, limit: number): Promise<Uint8Array>;
  /** Where the blob is, for stores that keep files: to be read only (hard link, reflink, sendfile). */
  path?(digest: Digest): string | undefined;
  /** Begins writing one blob under a key of the caller's choice (a digest, an upload id). */
  ingest(scope: Scope, key: string, options?: IngestOptions): Promise<Ingest>;
  /** Removes a blob; false when there was none. Readers that have begun are not disturbed. */
  delete(scope: Scope, digest: Digest): Promise<boolean>;
  /** All blobs, in no particular order. */
  list(scope: Scope): AsyncIterable<BlobInfo>;
  /** Removes what interrupted ingests left to be gone on with; those under way are not disturbed. */
  dropInterrupted?(scope: Scope): Promise<void>;
}

/** One blob being written. Owned by who asked for it; disposing without `commit` abandons it. */
export interface Ingest extends AsyncDisposable {
  readonly key: string;
  /** Bytes present: where the next `write` continues. */
  readonly offset: number;
  /**
   * Appends. The chunk may be reused after the promise resolves.
   * @throws TeuError `corrupt` beyond the expected size, `exhausted` when the disk is full.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Verifies and makes the blob visible; a blob that is there already is kept and this one dropped.
   * Without an expected digest the sha256 names it.
   * @throws TeuError `corrupt` when digest or size differ; the written bytes are then gone.
   */
  commit(expected?: ExpectedBlob): Promise<BlobInfo>;
  /** Drops what was written, also in a resumable ingest. */
  abort(): Promise<void>;
}
