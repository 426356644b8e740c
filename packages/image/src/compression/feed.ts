// The input of a decompressor: one chunk read ahead, with room for what was given back.

/** Pulls chunks out of `source`. */
export class Feed {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #back: Uint8Array | null = null;
  #ahead: Promise<IteratorResult<Uint8Array>> | null = null;
  #done = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next chunk, never an empty one; null at the end. */
  async next(): Promise<Uint8Array | null> {
    const back = this.#back;
    this.#back = null;
    if (back !== null) return back;
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

  /** What `next` gives next. */
  giveBack(chunk: Uint8Array): void {
    this.#back = chunk;
  }

  /** Whether `next` has something to give. */
  async hasMore(): Promise<boolean> {
    this.#back ??= await this.next();
    return this.#back !== null;
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
