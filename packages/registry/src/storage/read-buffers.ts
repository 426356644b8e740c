// Large buffers for reading blobs, used again and again: allocating a megabyte per chunk costs more than reading it.
// With many readers at once buffers get smaller, so that 200 downloads do not hold 400 MB.

const LARGE = 1 << 20;
const SMALL = 128 << 10;
/** Readers that get large buffers; two buffers each. */
const LARGE_READERS = 24;
const KEPT = 16;

/** A free list of buffers with a say in their size. */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  #readers = 0;

  /** Two buffers for one reader; dispose to give them back, when no write of them is under way. */
  take(wanted: number): { readonly pair: readonly [Buffer, Buffer] } & Disposable {
    const size = Math.min(this.#readers < LARGE_READERS ? LARGE : SMALL, Math.max(wanted, 4096));
    this.#readers++;
    const pair = [this.#one(size), this.#one(size)] as const;
    return {
      pair,
      [Symbol.dispose]: () => {
        this.#readers--;
        for (const buffer of pair) if (buffer.length === LARGE && this.#free.length < KEPT) this.#free.push(buffer);
      },
    };
  }

  #one(size: number): Buffer {
    return (size === LARGE ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(size);
  }
}
