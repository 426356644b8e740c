// Unpacks gzip members and zstd frames, one after the other, in the thread pool, some chunks ahead of the reader. The buffers
// go round: a new one for each chunk costs more in garbage than unpacking into it.

import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { type PoolInflater, poolInflater, poolUnzstd } from "@teu/files/bulk";

import type { Feed } from "./feed.ts";

/** Small enough to be still in the processor's cache when the reader comes to it. */
const CHUNK = 1 << 20;
/** Chunks that are unpacked before they are asked for. */
const AHEAD = 2;
/** 128 MiB: what zstd itself takes without being told; more is a memory bomb. */
const ZSTD_WINDOW_LOG = 27;
const NOTHING = new Uint8Array(0);

/** The content. With `reuse` a chunk is valid until the one after the next is asked for. @throws TeuError `corrupt`, `cancelled`. */
export async function* expandInPool(
  scope: Scope,
  feed: Feed,
  compression: "gzip" | "zstd",
  reuse: boolean,
): AsyncIterable<Uint8Array> {
  const members = new Members(feed, scope.signal, compression);
  const spare: Uint8Array[] = [];
  const steps: Promise<Uint8Array | null>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let over = false;
  let before: Uint8Array | null = null;
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
      if (reuse && before !== null) spare.push(new Uint8Array(before.buffer));
      before = chunk;
    }
  } finally {
    over = true;
    members.close();
  }
}

/** The members (gzip) or frames (zstd) of one stream. A step follows the one before it; nothing here runs twice at once. */
class Members {
  readonly #feed: Feed;
  readonly #signal: AbortSignal;
  readonly #compression: "gzip" | "zstd";
  readonly #cancelled: Promise<never>;
  #reject: (reason: unknown) => void = () => {};
  #engine: PoolInflater | null = null;
  #input: Uint8Array | null = null;
  #begun = false;
  /** One member is over, and the next has not begun. */
  #between = true;
  /** The output was filled: there may be more without any input. */
  #full = false;

  constructor(feed: Feed, signal: AbortSignal, compression: "gzip" | "zstd") {
    this.#feed = feed;
    this.#signal = signal;
    this.#compression = compression;
    this.#cancelled = new Promise((_, reject) => (this.#reject = reject));
    this.#cancelled.catch(() => {});
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  /** Fills `output` as far as one piece of input reaches; null when the last member is over. */
  async next(output: Uint8Array): Promise<Uint8Array | null> {
    for (;;) {
      // A source may never answer again; whoever cancels does not wait for it.
      if (!this.#full) this.#input ??= await Promise.race([this.#feed.next(), this.#cancelled]);
      if (this.#input === null && !this.#full) {
        if (this.#between) return null;
        throw this.#broken(new Error("it ends in the middle"));
      }
      const produced = await this.#step(this.#input ?? NOTHING, output);
      if (produced > 0) return output.subarray(0, produced);
    }
  }

  async #step(input: Uint8Array, output: Uint8Array): Promise<number> {
    this.#engine ??= this.#compression === "gzip" ? poolInflater() : poolUnzstd(ZSTD_WINDOW_LOG);
    const { consumed, produced, ended } = await this.#engine.step(input, output).catch((error: unknown) => {
      throw this.#broken(error);
    });
    this.#begun = true;
    this.#input = consumed === input.length ? null : input.subarray(consumed);
    this.#between = ended;
    this.#full = !ended && produced === output.length;
    // An inflater is for one member; the other goes on with the next frame.
    if (ended && this.#compression === "gzip") this.#engine = null;
    return produced;
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#stop);
  }

  #broken(cause: unknown): unknown {
    if (isTeuError(cause)) return cause;
    const trailing = this.#begun && this.#between;
    const message = trailing ? "bytes follow the end of the compressed data" : `${this.#compression} data is broken`;
    return new TeuError({ code: "corrupt", op: "decompress", message, cause });
  }

  readonly #stop = (): void => this.#reject(endedError("decompress", this.#signal.reason));
}
