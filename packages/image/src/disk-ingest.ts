// One blob on its way to disk: gathers small chunks, hashes and writes them in large ones, and makes the file visible
// under its digest only after both were verified. The file is locked by its writer for as long as it is written.

import { type FileHandle, link, open, rename, rm } from "node:fs/promises";

import { TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";
import type { FileLock } from "@teu/files/file-lock";
import { readBuffer } from "@teu/files/read-buffer";

import type { BlobInfo, ExpectedBlob, Ingest, IngestOptions } from "./content-store.ts";
import type { Digest } from "./digest.ts";
import { checkGrowth, ingestClosed, shortened } from "./internal/blob-rules.ts";
import { PoolBlobVerifier } from "./verified-stream.ts";

/** Chunks are gathered to this size: sockets give 64 KiB or less, and each write has a fixed price. */
const BATCH_BYTES = 512 << 10;
const REREAD_BYTES = 1 << 20;

/** What the store gives an ingest. */
export interface DiskIngestSetup {
  readonly key: string;
  readonly options: IngestOptions;
  /** On the file to be written; released by the ingest. */
  readonly lock: FileLock;
  /** Whether the file stays when disposed without commit. */
  readonly keeps: boolean;
  /** The path a blob belongs at; its directory is made. */
  place(digest: Digest): Promise<string>;
  /** Told of the path when the blob is there: sees to it that the name survives a crash. */
  named(path: string): Promise<void>;
}

/** See `Ingest`. Made by the store only. */
export class DiskIngest implements Ingest {
  readonly #setup: DiskIngestSetup;
  readonly #file: FileHandle;
  #verifier: PoolBlobVerifier;
  /** Gathers small chunks; made with the first one, and used again for each batch: an array per chunk is garbage by the gigabyte. */
  #batch: Buffer | null = null;
  #pending = 0;
  #offset = 0;
  #open = true;

  private constructor(setup: DiskIngestSetup, file: FileHandle) {
    this.#setup = setup;
    this.#file = file;
    this.#verifier = new PoolBlobVerifier("commit blob", this.#known());
  }

  /** Opens the locked file; one with content is hashed again, since a hash state cannot be stored. */
  static async start(setup: DiskIngestSetup): Promise<DiskIngest> {
    try {
      const ingest = new DiskIngest(setup, await open(setup.lock.path, "r+"));
      await ingest.#resume();
      return ingest;
    } catch (error) {
      setup.lock[Symbol.dispose]();
      throw fileError("write blob", setup.key, error);
    }
  }

  get key(): string {
    return this.#setup.key;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#open) throw ingestClosed(this.key);
    checkGrowth(this.key, this.#offset + chunk.length, this.#setup.options.size);
    this.#offset += chunk.length;
    for (let rest = chunk; rest.length > 0;) {
      if (rest.length >= BATCH_BYTES && this.#pending === 0) return this.#store(rest);
      this.#batch ??= Buffer.allocUnsafeSlow(BATCH_BYTES);
      const taken = rest.subarray(0, BATCH_BYTES - this.#pending);
      this.#batch.set(taken, this.#pending);
      this.#pending += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#pending === BATCH_BYTES) await this.#flush();
    }
  }

  async commit(expected: ExpectedBlob = {}): Promise<BlobInfo> {
    if (!this.#open) throw ingestClosed(this.key);
    try {
      await this.#flush();
      const digest = await this.#verify(expected);
      await this.#publish(digest);
      return { digest, size: this.#offset };
    } catch (error) {
      await this.#close(false);
      throw fileError("commit blob", this.key, error);
    }
  }

  async abort(): Promise<void> {
    await this.#close(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    if (this.#setup.keeps && this.#offset > 0) {
      await this.#flush();
      await this.#close(true);
    } else {
      await this.#close(false);
    }
  }

  #known(): ExpectedBlob {
    const { digest } = this.#setup.options;
    return digest === undefined ? {} : { digest };
  }

  async #resume(): Promise<void> {
    const { size } = await this.#file.stat();
    const { size: declared } = this.#setup.options;
    if (size > 0 && declared !== undefined && size > declared) {
      // Left by something else under the same key: begin again.
      await this.#file.truncate(0);
      return;
    }
    await this.#rehash(size);
    this.#offset = size;
  }

  async #rehash(size: number): Promise<void> {
    const buffer = readBuffer(Math.min(REREAD_BYTES, Math.max(size, 1)));
    for (let at = 0; at < size;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw shortened("write blob", this.key);
      await this.#verifier.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  }

  async #flush(): Promise<void> {
    if (this.#batch === null || this.#pending === 0) return;
    const batch = this.#batch.subarray(0, this.#pending);
    this.#pending = 0;
    await this.#store(batch);
  }

  async #store(batch: Uint8Array): Promise<void> {
    try {
      const at = this.#verifier.size;
      // Side by side, in two threads of the pool; both end before the batch goes back to its owner.
      const [hashed, written] = await Promise.allSettled([this.#verifier.update(batch), this.#writeAt(batch, at)]);
      if (written.status === "rejected") throw written.reason;
      if (hashed.status === "rejected") throw hashed.reason;
    } catch (error) {
      throw fileError("write blob", this.key, error);
    }
  }

  async #writeAt(batch: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < batch.length;) {
      const { bytesWritten } = await this.#file.write(batch, done, batch.length - done, offset + done);
      done += bytesWritten;
    }
  }

  /** The digest of what was written; an algorithm first named at commit costs a second reading. */
  async #verify(expected: ExpectedBlob): Promise<Digest> {
    const size = expected.size ?? this.#setup.options.size;
    const digest = expected.digest ?? this.#setup.options.digest;
    const final = { ...(size === undefined ? {} : { size }), ...(digest === undefined ? {} : { digest }) };
    if (digest !== undefined && digest !== this.#setup.options.digest) {
      this.#verifier = new PoolBlobVerifier("commit blob", final);
      await this.#rehash(this.#offset);
      return this.#verifier.finish();
    }
    if (size !== undefined && size !== this.#offset) {
      const message = `${this.#offset} bytes instead of the ${size} declared`;
      throw new TeuError({ code: "corrupt", op: "commit blob", subject: digest ?? this.key, message });
    }
    return this.#verifier.finish();
  }

  async #publish(digest: Digest): Promise<void> {
    const path = await this.#setup.place(digest);
    await this.#file.chmod(0o444);
    await this.#file.sync();
    await linkIfAbsent(this.#setup.lock.path, path);
    await this.#setup.named(path);
    await this.#close(false);
  }

  async #close(keep: boolean): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#pending = 0;
    this.#batch = null;
    using lock = this.#setup.lock;
    await this.#file.close();
    // Still locked, so no sweep and no second writer has it. A rename may have taken it already: hence force.
    if (!keep) await rm(lock.path, { force: true });
  }
}

/** A blob that is there keeps its inode: others may have hard links to it, and it has the same content. */
export async function linkIfAbsent(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "EEXIST") return;
    // File systems without hard links: a rename over the same content does no harm.
    if (code !== "EPERM" && code !== "EOPNOTSUPP") throw error;
    await rename(from, to);
  }
}
