// A bound on how many steps run at the same time.

import { endedError } from "@teu/base/scope";

/** Counts free slots; waiters are served in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = Math.max(1, slots);
  }

  /** Takes a slot; dispose the result to give it back. @throws TeuError `cancelled` or `timeout` when `signal` ends first. */
  async take(signal: AbortSignal): Promise<Disposable> {
    if (signal.aborted) throw endedError("wait for a build slot", signal.reason);
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn = (): void => {
      signal.removeEventListener("abort", end);
      resolve();
    };
    const end = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(turn), 1);
      reject(endedError("wait for a build slot", signal.reason));
    };
    signal.addEventListener("abort", end, { once: true });
    this.#waiting.push(turn);
    return promise;
  }
}
