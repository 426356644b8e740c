// Memory in which the chunks of one stream take turns, and which goes on to the next stream: new memory for each chunk costs more than
// reading it, and with new memory for each stream V8 collects the garbage in the middle of a transfer.

import { readBuffer } from "@teu/files/read-buffer";

/** Bytes of each chunk, but the last one of a stream. Large reads: Node's default of 64 KiB costs twice the CPU per byte. */
export const CHUNK_BYTES: number = 1 << 20;
/** Three chunks that the reader of a stream has, and the one to read into. */
const TURNS = 4;
/** Those of four streams. */
const MOST_FREE = 4 * TURNS;
/** Milliseconds after which memory that nobody wants is the system's again. */
const PATIENCE = 1000;

/** Whole chunks that belong to nobody. */
const free: Buffer[] = [];
let emptying: NodeJS.Timeout | null = null;

/** The memory of one stream. A chunk is overwritten when the fourth one after it is asked for. */
export class ChunkMemory {
  readonly #turns: Buffer[] = [];
  #turn = 0;

  /** Where the next chunk goes, of at most `CHUNK_BYTES` and not longer than the first one. */
  next(length: number): Buffer {
    const turn = this.#turn++ % TURNS;
    const buffer = (this.#turns[turn] ??= (length === CHUNK_BYTES ? free.pop() : undefined) ?? readBuffer(length));
    return buffer.subarray(0, length);
  }

  /** For other streams: nobody has a chunk of this one any more, and none is on its way to the kernel. Without it, it is garbage. */
  giveBack(): void {
    for (const buffer of this.#turns.splice(0)) {
      if (buffer.length === CHUNK_BYTES && free.length < MOST_FREE) free.push(buffer);
    }
    emptying ??= setTimeout(() => {
      emptying = null;
      free.length = 0;
    }, PATIENCE).unref();
  }
}
