// The content store in memory: for tests, for embedding, for documents that never need a disk.

import type { Scope } from "@teu/base/scope";

import type { BlobInfo, BlobRange, ContentStore, ExpectedBlob, Ingest, IngestOptions } from "./content-store.ts";
import type { Digest } from "./digest.ts";
import { blobNotFound, blobTooLarge, checkGrowth, ingestClosed, resolveRange } from "./internal/blob-rules.ts";
import { BlobVerifier } from "./verified-stream.ts";

/** Blobs in a map. Holds everything until deleted; nothing to close. */
export class MemoryContentStore implements ContentStore {
  readonly #blobs = new Map<Digest, Uint8Array>();
  /** What resumable ingests left, by key. */
  readonly #partial = new Map<string, Uint8Array[]>();
  readonly #busy = new Set<string>();

  async info(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    scope.check("look up blob");
    const blob = this.#blobs.get(digest);
    return blob === undefined ? null : { digest, size: blob.length };
  }

  async *read(scope: Scope, digest: Digest, range?: BlobRange): AsyncIterable<Uint8Array> {
    scope.check("read blob");
    const blob = this.#blobs.get(digest);
    if (blob === undefined) throw blobNotFound(digest);
    const { start, end } = resolveRange(digest, blob.length, range);
    // A copy: the caller may write into what it is given, and a blob never changes.
    if (end > start) yield new Uint8Array(blob.subarray(start, end));
  }

  async readAll(scope: Scope, digest: Digest, limit: number): Promise<Uint8Array> {
    scope.check("read blob");
    const blob = this.#blobs.get(digest);
    if (blob === undefined) throw blobNotFound(digest);
    if (blob.length > limit) throw blobTooLarge(digest, blob.length, limit);
    return new Uint8Array(blob);
  }

  async ingest(scope: Scope, key: string, options: IngestOptions = {}): Promise<Ingest> {
    scope.check("write blob");
    const resume = options.resume === true && !this.#busy.has(key);
    if (resume) this.#busy.add(key);
    const chunks = (resume ? this.#partial.get(key) : undefined) ?? [];
    this.#partial.delete(key);
    return new MemoryIngest(key, options, chunks, {
      keep: (left) => {
        if (resume && left.length > 0) this.#partial.set(key, left);
        if (resume) this.#busy.delete(key);
      },
      publish: (digest, content) => {
        if (!this.#blobs.has(digest)) this.#blobs.set(digest, content);
      },
    });
  }

  async delete(scope: Scope, digest: Digest): Promise<boolean> {
    scope.check("delete blob");
    return this.#blobs.delete(digest);
  }

  async *list(scope: Scope): AsyncIterable<BlobInfo> {
    for (const [digest, blob] of [...this.#blobs]) {
      scope.check("list blobs");
      yield { digest, size: blob.length };
    }
  }
}

interface IngestSink {
  /** Called exactly once, with what a later ingest may continue. */
  keep(chunks: Uint8Array[]): void;
  publish(digest: Digest, content: Uint8Array): void;
}

class MemoryIngest implements Ingest {
  readonly key: string;
  readonly #expected: ExpectedBlob;
  readonly #sink: IngestSink;
  #chunks: Uint8Array[];
  #size: number;
  #open = true;

  constructor(key: string, expected: ExpectedBlob, chunks: Uint8Array[], sink: IngestSink) {
    this.key = key;
    this.#expected = expected;
    this.#chunks = chunks;
    this.#size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#sink = sink;
  }

  get offset(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#open) throw ingestClosed(this.key);
    checkGrowth(this.key, this.#size + chunk.length, this.#expected.size);
    this.#chunks.push(new Uint8Array(chunk));
    this.#size += chunk.length;
  }

  async commit(expected: ExpectedBlob = {}): Promise<BlobInfo> {
    if (!this.#open) throw ingestClosed(this.key);
    const content = Buffer.concat(this.#chunks, this.#size);
    this.#close([]);
    const digest = verifyIngest(content, { ...this.#expected, ...expected });
    this.#sink.publish(digest, content);
    return { digest, size: content.length };
  }

  async abort(): Promise<void> {
    this.#close([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(this.#chunks);
  }

  #close(left: Uint8Array[]): void {
    if (!this.#open) return;
    this.#open = false;
    this.#chunks = [];
    this.#sink.keep(left);
  }
}

function verifyIngest(content: Uint8Array, expected: ExpectedBlob): Digest {
  const verifier = new BlobVerifier("commit blob", expected);
  verifier.update(content);
  return verifier.finish();
}
