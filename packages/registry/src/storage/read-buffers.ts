// Large buffers for reading blobs, used again and again: allocating a megabyte per chunk costs more than reading it.
// With many readers at once they get smaller, and nothing is read ahead: others have their turn meanwhile. So 200 downloads hold
// about 45 MB, a thousand 100.

import { readBuffer } from "@teu/files/read-buffer";

const LARGE = 1 << 20;
/** Readers before one: what that one gets. Read from the end. */
const SIZES: readonly { readonly readers: number; readonly size: number; readonly count: 1 | 2 }[] = [
  { readers: 0, size: LARGE, count: 2 },
  { readers: 8, size: 256 << 10, count: 1 },
  { readers: 64, size: 128 << 10, count: 1 },
  { readers: 256, size: 64 << 10, count: 1 },
];
const KEPT = 16;

/** The buffers of one reader. Disposing ends the reader. */
export interface ReaderBuffers extends Disposable {
  readonly first: Buffer;
  /** Absent where nothing is to be read ahead. */
  readonly second?: Buffer;
  /**
   * Gives them back: no read or write of them is under way. Without it, after a client went away, the system may still hold them, and
   * they are left to the garbage collector.
   */
  giveBack(): void;
}

/** A free list of buffers with a say in their size. */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  #readers = 0;

  /** For one reader of so many bytes. */
  take(wanted: number): ReaderBuffers {
    const tier = SIZES.findLast(({ readers }) => this.#readers >= readers) ?? { size: LARGE, count: 1 };
    const size = Math.min(tier.size, Math.max(wanted, 4096));
    this.#readers++;
    const first = this.#one(size);
    const second = size < wanted && tier.count === 2 ? this.#one(size) : undefined;
    return {
      first,
      ...(second === undefined ? {} : { second }),
      giveBack: () => {
        this.#giveBack(first);
        if (second !== undefined) this.#giveBack(second);
      },
      [Symbol.dispose]: () => void this.#readers--,
    };
  }

  #one(size: number): Buffer {
    return (size === LARGE ? this.#free.pop() : undefined) ?? readBuffer(size);
  }

  // What is not kept goes at once, not when somebody collects garbage.
  #giveBack(buffer: Buffer): void {
    if (buffer.length === LARGE && this.#free.length < KEPT) this.#free.push(buffer);
    else (buffer.buffer as ArrayBuffer).transfer(0);
  }
}
