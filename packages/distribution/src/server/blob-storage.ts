// The registry's first storage contract: blobs by digest, and uploads that become blobs. Knows nothing of repositories.
// Written so that object storage fits: uploads only append (multipart), commit may be conditional, reads may be redirected.
// Every implementation passes blob-storage.suite.ts. Which blob may be deleted when is the metadata's business.

import type { Scope } from "@teu/base/scope";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { ByteSpan } from "../wire/byte-range.ts";

/** Blobs by digest. Safe for many tasks, and for several processes, which have distinct upload ids. */
export interface BlobStorage extends AsyncDisposable {
  /** Null when absent. */
  stat(scope: Scope, digest: Digest): Promise<BlobInfo | null>;
  /** Opens a blob for reading; null when absent. What is open stays readable while the blob is deleted. */
  open(scope: Scope, digest: Digest): Promise<OpenBlob | null>;
  /** Where a client may fetch the blob itself for a while, for storages that can say; null: read it here. */
  redirect?(scope: Scope, digest: Digest): Promise<URL | null>;
  /**
   * Takes a blob away, at once and without waiting, since a transaction of the index is open meanwhile; false when there was none.
   * Its bytes are freed by `freeRetired`.
   */
  retire(digest: Digest): boolean;
  /** Frees the bytes of all blobs that were retired, by whatever process. */
  freeRetired(scope: Scope): Promise<void>;
  /**
   * Whether so many bytes more may be stored, here or in an index beside it; absent: there is always room.
   * @throws TeuError `exhausted`.
   */
  checkRoom?(bytes: number): void;
  /** Before cleaning, which writes before it frees: gives up room that `keepRoom` has kept, where nothing else is left. */
  makeRoom?(scope: Scope): Promise<void>;
  /** After cleaning: keeps some room for the next time, where there is enough. */
  keepRoom?(scope: Scope): Promise<void>;
  /** All blobs, in no particular order, by name alone. For scrubbing and cleaning, never to answer a request. */
  list(scope: Scope): AsyncIterable<Digest>;
  /**
   * Begins an upload under an id of the caller's choice (a UUID). `algorithm` is a hint of the digest to come.
   * @throws TeuError `already-exists`, `exhausted`.
   */
  createUpload(scope: Scope, id: string, algorithm?: string): Promise<BlobUpload>;
  /**
   * Continues an upload, also one of an earlier process. The caller sees to it that one task at a time has it open.
   * @throws TeuError `not-found`.
   */
  openUpload(scope: Scope, id: string, algorithm?: string): Promise<BlobUpload>;
  /** Bytes of an upload; null when there is none. */
  uploadSize(scope: Scope, id: string): Promise<number | null>;
  /** Drops an upload; false when there was none. */
  deleteUpload(scope: Scope, id: string): Promise<boolean>;
  /** Ids of all uploads: for cleaning. */
  listUploads(scope: Scope): AsyncIterable<string>;
}

/** A blob open for reading. Owned by who opened it. */
export interface OpenBlob extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /**
   * The bytes of a span inside the blob, in large chunks. A chunk may be overwritten once the next one is asked for.
   * Not verified: blobs were when they came.
   * @throws TeuError `corrupt` when the storage has fewer bytes than `size`.
   */
  read(scope: Scope, span: ByteSpan): AsyncIterable<Uint8Array>;
}

/** An upload that is open. Disposing it keeps what was written for `openUpload`. */
export interface BlobUpload extends AsyncDisposable {
  readonly id: string;
  /** Bytes taken so far. */
  readonly offset: number;
  /** Appends; the chunks belong to the upload until the promise resolves. Callers batch: one call is one write. @throws TeuError `exhausted`. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Bytes that were written, up to `end` or fewer; also while more is written. Not after `commit` began. */
  readBack(start: number, end: number): Promise<Uint8Array>;
  /** Takes back what was written beyond `offset`. */
  truncate(offset: number): Promise<void>;
  /**
   * Verifies the content, makes it durable and visible as a blob, and ends the upload. A blob that is there already stays.
   * @throws TeuError `corrupt` when the content has another digest, and then the upload is gone; `unsupported` for its algorithm.
   */
  commit(expected: Digest): Promise<BlobInfo>;
}
