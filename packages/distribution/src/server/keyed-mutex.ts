// Mutual exclusion by key within one process, first come first served.

/** One lock per key; keys cost nothing while unused. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** Waits for the lock; call the result to release it. */
  acquire(key: string): Promise<() => void>;
  /** Waits at most `patience` milliseconds; null when that was not enough. */
  acquire(key: string, patience: number): Promise<(() => void) | null>;
  async acquire(key: string, patience?: number): Promise<(() => void) | null> {
    const before = this.#tails.get(key);
    let release: () => void = () => {};
    const mine = new Promise<void>((resolve) => (release = resolve));
    const tail = before === undefined ? mine : before.then(() => mine);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    if (before === undefined) return release;
    if (patience === undefined) {
      await before;
      return release;
    }
    if (await settles(before, patience)) return release;
    // Give the place up: whoever is behind waits for the one before only.
    release();
    return null;
  }
}

async function settles(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
