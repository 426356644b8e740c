// An upload as a file, hashed on the way. Between requests the hash is kept in memory; after a restart, or when the digest turns
// out to be of another algorithm, the file is read once more at the end (node's hashes cannot be saved).

import { open, type FileHandle } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import type { BlobUpload } from "@teu/distribution/server/blob-storage";
import { readBuffer } from "@teu/files/read-buffer";
import type { BlobInfo } from "@teu/image/content-store";
import { createDigester, type Digest, digestAlgorithm, type Digester } from "@teu/image/digest";

import { fileError } from "./file-error.ts";

/** A digest computation that has seen the first `digester.size` bytes of an upload. */
export interface UploadHash {
  readonly digester: Digester;
}

/** What an upload needs of its storage. */
export interface UploadHome {
  /** Takes room on the disk. @throws TeuError `exhausted`. */
  takeRoom(bytes: number): void;
  /** Moves the file to its place among the blobs, durably. */
  publish(digest: Digest): Promise<void>;
  discard(): Promise<boolean>;
  /** Keeps the hash for the next request; null forgets it. */
  keep(hash: UploadHash | null): void;
}

const READ_SIZE = 1 << 20;

/** See `BlobUpload`. Owns the file handle. */
export class DiskUpload implements BlobUpload {
  readonly id: string;
  readonly #file: FileHandle;
  readonly #home: UploadHome;
  #offset: number;
  /** Null when it does not fit the file: then the file is read at the end. */
  #hash: UploadHash | null;
  #open = true;

  constructor(
    id: string,
    file: FileHandle,
    size: number,
    kept: UploadHash | undefined,
    algorithm: string,
    home: UploadHome,
  ) {
    this.id = id;
    this.#file = file;
    this.#offset = size;
    this.#home = home;
    this.#hash = size === 0 ? { digester: createDigester(algorithm) } : kept?.digester.size === size ? kept : null;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#home.takeRoom(length);
    const hash = this.#hash;
    // Until both are done the hash is ahead of the file or behind it.
    this.#hash = null;
    try {
      const writing = this.#writeAll(chunks, length);
      writing.catch(() => {});
      if (hash !== null) for (const chunk of chunks) hash.digester.update(chunk);
      await writing;
    } catch (error) {
      // The bytes that did get in are not counted: the file ends where the caller was told.
      await this.#file.truncate(this.#offset).catch(() => {});
      throw fileError("write upload", this.id, error);
    }
    this.#offset += length;
    this.#hash = hash;
  }

  async readBack(start: number, end: number): Promise<Uint8Array> {
    try {
      const buffer = readBuffer(end - start);
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      throw fileError("read upload", this.id, error);
    }
  }

  async truncate(offset: number): Promise<void> {
    await this.#file.truncate(offset);
    this.#offset = offset;
    this.#hash = null;
  }

  async commit(expected: Digest): Promise<BlobInfo> {
    try {
      const digest = await this.#digest(digestAlgorithm(expected));
      if (digest !== expected) {
        throw new TeuError({
          code: "corrupt",
          op: "store blob",
          subject: expected,
          message: `content has digest ${digest}`,
        });
      }
      await this.#file.datasync();
      await this.#close();
      await this.#home.publish(digest);
      this.#home.keep(null);
      return { digest, size: this.#offset };
    } catch (error) {
      await this.#close();
      this.#home.keep(null);
      await this.#home.discard();
      throw fileError("store blob", expected, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#home.keep(this.#hash);
    await this.#close();
  }

  // writev may write less than asked for (a full disk says so only at the next try).
  async #writeAll(chunks: readonly Uint8Array[], length: number): Promise<void> {
    const { bytesWritten } = await this.#file.writev(chunks, this.#offset);
    if (bytesWritten === length) return;
    const rest = Buffer.concat(chunks).subarray(bytesWritten);
    let at = 0;
    while (at < rest.length)
      at += (await this.#file.write(rest, at, rest.length - at, this.#offset + bytesWritten + at)).bytesWritten;
  }

  async #digest(algorithm: string): Promise<Digest> {
    if (this.#hash !== null && this.#hash.digester.algorithm === algorithm) return this.#hash.digester.digest();
    const digester = createDigester(algorithm);
    const buffer = readBuffer(READ_SIZE);
    while (digester.size < this.#offset) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, digester.size);
      if (bytesRead === 0) break;
      digester.update(buffer.subarray(0, bytesRead));
    }
    return digester.digest();
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#file.close();
  }
}

/** Makes names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
