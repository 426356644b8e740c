// A blob file open for reading: the next chunk is read while the last one is on its way to the client, unless there are many clients.

import type { FileHandle } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { OpenBlob } from "@teu/distribution/server/blob-storage";
import type { ByteSpan } from "@teu/distribution/wire/byte-range";
import type { Digest } from "@teu/image/digest";

import type { ReadBuffers } from "./read-buffers.ts";

/** See `OpenBlob`. Owns the file handle. */
export class DiskOpenBlob implements OpenBlob {
  readonly size: number;
  readonly #digest: Digest;
  readonly #file: FileHandle;
  readonly #buffers: ReadBuffers;

  constructor(digest: Digest, file: FileHandle, size: number, buffers: ReadBuffers) {
    this.#digest = digest;
    this.#file = file;
    this.size = size;
    this.#buffers = buffers;
  }

  async *read(scope: Scope, span: ByteSpan): AsyncIterable<Uint8Array> {
    if (span.end <= span.start) return;
    using buffers = this.#buffers.take(span.end - span.start);
    if (buffers.second === undefined) yield* this.#readOne(scope, span, buffers.first);
    else yield* this.#readAhead(scope, span, [buffers.first, buffers.second]);
    // Asked for more after the last chunk: the client's connection has taken it.
    buffers.giveBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async *#readOne(scope: Scope, span: ByteSpan, buffer: Buffer): AsyncIterable<Uint8Array> {
    for (let at = span.start; at < span.end;) {
      scope.check("read blob");
      const chunk = await this.#readAt(buffer, at, span.end);
      at += chunk.length;
      yield chunk;
    }
  }

  async *#readAhead(scope: Scope, span: ByteSpan, pair: readonly [Buffer, Buffer]): AsyncIterable<Uint8Array> {
    let [current, other] = pair;
    let at = span.start;
    let pending = this.#readAt(current, at, span.end);
    try {
      while (at < span.end) {
        scope.check("read blob");
        const chunk = await pending;
        at += chunk.length;
        if (at < span.end) pending = this.#readAt(other, at, span.end);
        yield chunk;
        [current, other] = [other, current];
      }
    } finally {
      // Nothing may still be reading into a buffer when it is let go.
      await pending.catch(() => {});
    }
  }

  async #readAt(buffer: Buffer, position: number, end: number): Promise<Uint8Array> {
    const { bytesRead } = await this.#file.read(buffer, 0, Math.min(buffer.length, end - position), position);
    if (bytesRead > 0) return buffer.subarray(0, bytesRead);
    throw new TeuError({
      code: "corrupt",
      op: "read blob",
      subject: this.#digest,
      message: `file ends at byte ${position} of ${this.size}`,
    });
  }
}
