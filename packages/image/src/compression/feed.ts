// The input of a decompressor: one chunk read ahead.

/** Pulls chunks out of `source`. */
export class Feed {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #ahead: Promise<IteratorResult<Uint8Array>> | null = null;
  #done = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next chunk, never an empty one; null at the end. */
  async next(): Promise<Uint8Array | null> {
    while (!this.#done) {
      const { done, value } = await (this.#ahead ?? this.#iterator.next());
      this.#ahead = null;
      if (done === true) this.#done = true;
      else if (value.length > 0) {
        this.#readAhead();
        return value;
      }
    }
    return null;
  }

  /** Ends the source. */
  async close(): Promise<void> {
    if (this.#done) return;
    const returned = this.#iterator.return?.();
    // A generator returns only after the read that is under way, which nobody waits for any more.
    if (this.#ahead === null) await returned;
    else returned?.catch(() => {});
  }

  #readAhead(): void {
    this.#ahead = this.#iterator.next();
    // Seen by the next `next`; until then it must not count as unhandled.
    this.#ahead.catch(() => {});
  }
}
