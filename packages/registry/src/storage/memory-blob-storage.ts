// Blobs in memory, for tests and embedding. Nothing survives the process.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { BlobStorage, BlobUpload, OpenBlob } from "@teu/distribution/server/blob-storage";
import type { BlobInfo } from "@teu/image/content-store";
import { createDigester, type Digest, digestAlgorithm } from "@teu/image/digest";

const CHUNK = 1 << 20;

interface MemoryUpload {
  chunks: Uint8Array[];
  size: number;
}

/** The memory implementation of the blob contract. */
export class MemoryBlobStorage implements BlobStorage {
  readonly #blobs: Map<Digest, Uint8Array> = new Map();
  readonly #uploads: Map<string, MemoryUpload> = new Map();

  async stat(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    scope.check("look up blob");
    const blob = this.#blobs.get(digest);
    return blob === undefined ? null : { digest, size: blob.length };
  }

  async open(scope: Scope, digest: Digest): Promise<OpenBlob | null> {
    scope.check("open blob");
    const blob = this.#blobs.get(digest);
    if (blob === undefined) return null;
    return {
      size: blob.length,
      async *read(reader, span) {
        for (let at = span.start; at < span.end; at += CHUNK) {
          reader.check("read blob");
          yield blob.subarray(at, Math.min(at + CHUNK, span.end));
        }
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }

  retire(digest: Digest): boolean {
    return this.#blobs.delete(digest);
  }

  async freeRetired(scope: Scope): Promise<void> {
    scope.check("free blobs");
  }

  async *list(scope: Scope): AsyncIterable<Digest> {
    for (const digest of [...this.#blobs.keys()]) {
      scope.check("list blobs");
      yield digest;
    }
  }

  async createUpload(scope: Scope, id: string): Promise<BlobUpload> {
    scope.check("begin upload");
    if (this.#uploads.has(id))
      throw new TeuError({ code: "already-exists", op: "begin upload", subject: id, message: "id is in use" });
    const state: MemoryUpload = { chunks: [], size: 0 };
    this.#uploads.set(id, state);
    return this.#upload(id, state);
  }

  async openUpload(scope: Scope, id: string): Promise<BlobUpload> {
    scope.check("continue upload");
    const state = this.#uploads.get(id);
    if (state === undefined)
      throw new TeuError({ code: "not-found", op: "continue upload", subject: id, message: "no such upload" });
    return this.#upload(id, state);
  }

  async uploadSize(scope: Scope, id: string): Promise<number | null> {
    scope.check("look up upload");
    return this.#uploads.get(id)?.size ?? null;
  }

  async deleteUpload(scope: Scope, id: string): Promise<boolean> {
    scope.check("delete upload");
    return this.#uploads.delete(id);
  }

  async *listUploads(scope: Scope): AsyncIterable<string> {
    for (const id of [...this.#uploads.keys()]) {
      scope.check("list uploads");
      yield id;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#blobs.clear();
    this.#uploads.clear();
  }

  #upload(id: string, state: MemoryUpload): BlobUpload {
    return {
      id,
      get offset() {
        return state.size;
      },
      write: async (chunks) => {
        for (const chunk of chunks) {
          // A Buffer's own slice() would not copy.
          state.chunks.push(new Uint8Array(chunk));
          state.size += chunk.length;
        }
      },
      readBack: async (start, end) => readBack(state.chunks, start, end),
      truncate: async (offset) => {
        const kept = Buffer.concat(state.chunks).subarray(0, offset);
        state.chunks = [kept];
        state.size = kept.length;
      },
      commit: async (expected) => {
        this.#uploads.delete(id);
        const digester = createDigester(digestAlgorithm(expected));
        const content = Buffer.concat(state.chunks, state.size);
        digester.update(content);
        const digest = digester.digest();
        if (digest !== expected)
          throw new TeuError({
            code: "corrupt",
            op: "store blob",
            subject: expected,
            message: `content has digest ${digest}`,
          });
        if (!this.#blobs.has(digest)) this.#blobs.set(digest, content);
        return { digest, size: content.length };
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

// Only the chunks that have some of it: joining all for each piece would cost the square of the size.
function readBack(chunks: readonly Uint8Array[], start: number, end: number): Uint8Array {
  let at = 0;
  const parts: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (at >= end) break;
    if (at + chunk.length > start) parts.push(chunk.subarray(Math.max(0, start - at), end - at));
    at += chunk.length;
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}
