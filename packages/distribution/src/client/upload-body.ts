// What an upload sends: a part of a blob, or all of it, from its source.

import { ChunkMemory } from "@teu/image/chunk-memory";
import type { ReadOptions } from "@teu/image/content-store";

import type { RequestBody } from "./http-transport.ts";

/** Opens the content at an offset; may be called several times. */
export type BlobSource = (offset: number, options?: ReadOptions) => AsyncIterable<Uint8Array>;

/** Bytes of a blob. */
export interface BlobPart {
  readonly start: number;
  readonly end: number;
  /** Whether the blob ends here, too. */
  readonly last: boolean;
}

/** The body of one request. */
export class UploadBody implements RequestBody {
  readonly size: number;
  readonly #source: BlobSource;
  readonly #part: BlobPart;
  readonly #progress: ((offset: number) => void) | undefined;
  /** Of an `open` that came to its end. */
  #memory: ChunkMemory | null = null;

  constructor(source: BlobSource, part: BlobPart, progress?: (offset: number) => void) {
    this.size = part.end - part.start;
    this.#source = source;
    this.#part = part;
    this.#progress = progress;
  }

  async *open(): AsyncIterable<Uint8Array> {
    const { start, end, last: toTheEnd } = this.#part;
    const memory = new ChunkMemory();
    let at = start;
    let last: Uint8Array | null = null;
    for await (const chunk of this.#source(start, { memory })) {
      // The last part is read until the source ends, and its last byte waits for that: only then has the source verified it, and
      // a registry that had everything might answer before we know.
      const part = toTheEnd ? chunk : chunk.subarray(0, end - at);
      const completes = toTheEnd && part.length > 0 && at + part.length === end;
      if (completes) last = Uint8Array.from(part.subarray(-1));
      const now = completes ? part.subarray(0, -1) : part;
      if (now.length > 0) yield now;
      at += part.length;
      this.#progress?.(at);
      if (!toTheEnd && at === end) break;
    }
    this.#memory = memory;
    if (last !== null) yield last;
  }

  /** To be called when the registry has said that it has everything: then nothing is on its way to it any more. */
  giveBack(): void {
    this.#memory?.giveBack();
    this.#memory = null;
  }
}
