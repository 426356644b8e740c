// Inflates gzip, member after member, in the thread pool, some chunks ahead of the reader. The buffers go round: a new one
// for each chunk costs more in garbage than inflating into it.

import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { type PoolInflater, poolInflater } from "@teu/files/bulk";

import type { Feed } from "./feed.ts";

/** Small enough to be still in the processor's cache when the reader comes to it. */
const CHUNK = 1 << 20;
/** Chunks that are inflated before they are asked for. */
const AHEAD = 2;

/** The content. With `reuse` a chunk is valid until the next one is asked for. @throws TeuError `corrupt`, `cancelled`. */
export async function* gunzip(scope: Scope, feed: Feed, reuse: boolean): AsyncIterable<Uint8Array> {
  const members = new Members(feed, scope.signal);
  const spare: Uint8Array[] = [];
  const steps: Promise<Uint8Array | null>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let over = false;
  const begin = (): void => {
    // One after the other: each goes on where the one before it has stopped.
    const step = last.then(() => (over ? null : members.next(spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK))));
    // Seen when its turn comes; until then it must not count as unhandled.
    step.catch(() => {});
    last = step;
    steps.push(step);
  };
  try {
    while (steps.length < AHEAD) begin();
    for (;;) {
      const chunk = await (steps.shift() as Promise<Uint8Array | null>);
      if (chunk === null) return;
      begin();
      yield chunk;
      if (reuse) spare.push(new Uint8Array(chunk.buffer));
    }
  } finally {
    over = true;
    members.close();
  }
}

/** The members of one stream. A step follows the one before it; nothing here runs twice at once. */
class Members {
  readonly #feed: Feed;
  readonly #signal: AbortSignal;
  readonly #cancelled: Promise<never>;
  #reject: (reason: unknown) => void = () => {};
  #inflater: PoolInflater | null = null;
  #input: Uint8Array | null = null;

  constructor(feed: Feed, signal: AbortSignal) {
    this.#feed = feed;
    this.#signal = signal;
    this.#cancelled = new Promise((_, reject) => (this.#reject = reject));
    this.#cancelled.catch(() => {});
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  /** Fills `output` as far as one piece of input reaches; null when the last member is over. */
  async next(output: Uint8Array): Promise<Uint8Array | null> {
    for (;;) {
      // A source may never answer again; whoever cancels does not wait for it.
      this.#input ??= await Promise.race([this.#feed.next(), this.#cancelled]);
      if (this.#input === null) {
        if (this.#inflater === null) return null;
        throw broken(new Error("it ends in the middle"));
      }
      this.#inflater ??= poolInflater();
      const { consumed, produced, ended } = await this.#inflater.step(this.#input, output).catch((error: unknown) => {
        throw broken(error);
      });
      this.#input = consumed === this.#input.length ? null : this.#input.subarray(consumed);
      if (ended) this.#inflater = null;
      if (produced > 0) return output.subarray(0, produced);
    }
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#stop);
  }

  readonly #stop = (): void => this.#reject(endedError("decompress", this.#signal.reason));
}

function broken(error: unknown): unknown {
  if (isTeuError(error)) return error;
  return new TeuError({ code: "corrupt", op: "decompress", message: "gzip data is broken", cause: error });
}
