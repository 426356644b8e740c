// Unpacks gzip members and zstd frames, one after the other, in the thread pool, some chunks ahead of the reader. The buffers
// go round: a new one for each chunk costs more in garbage than unpacking into it.

import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";
import { gzipExpander, type PoolExpander, zstdExpander } from "@teu/files/bulk";

import { CHUNK_BYTES } from "../chunk-memory.ts";
import type { Feed } from "./feed.ts";

/** Small enough to be still in the processor's cache when the reader comes to it. */
const CHUNK = 1 << 20;
/** A chunk of fewer bytes is copied for a reader that keeps it. */
const SMALL = CHUNK / 4;
/** Buffers that go round: what the reader has (the present chunk and the one before), and what is unpacked ahead of it. */
const BUFFERS = 6;
/**
 * With fewer bytes of input that wait to be unpacked, more is asked for: enough that the pool never waits for what is there to be read,
 * and no more than one chunk of a source that uses its memory again, the next of which is read ahead already when it is asked for.
 */
const INPUT_BYTES = 2 * CHUNK_BYTES;
/** 128 MiB: what zstd itself takes without being told; more is a memory bomb. */
const ZSTD_WINDOW_LOG = 27;

/** The content. With `reuse` a chunk is valid until the one after the next is asked for. @throws TeuError `corrupt`, `cancelled`. */
export async function* expandInPool(
  scope: Scope,
  feed: Feed,
  compression: "gzip" | "zstd",
  reuse: boolean,
): AsyncIterable<Uint8Array> {
  const members = new Members(feed, scope.signal, compression);
  let before: Uint8Array | null = null;
  try {
    for (;;) {
      const chunk = await members.next();
      if (chunk === null) return;
      if (reuse) {
        yield chunk;
        if (before !== null) members.give(new Uint8Array(before.buffer));
        before = chunk;
      } else if (chunk.length < SMALL) {
        // Whoever keeps it shall not keep all of its buffer: a slow source makes many of them.
        yield Uint8Array.from(chunk);
        members.give(new Uint8Array(chunk.buffer));
      } else {
        yield chunk;
        members.give(Buffer.allocUnsafeSlow(CHUNK));
      }
    }
  } finally {
    members.close();
  }
}

/** The members (gzip) or frames (zstd) of one stream. */
class Members {
  readonly #feed: Feed;
  readonly #signal: AbortSignal;
  readonly #compression: "gzip" | "zstd";
  readonly #expander: PoolExpander;
  readonly #cancelled: Promise<never>;
  #reject: (reason: unknown) => void = () => {};
  /** What the expander has, in the order in which it fills it. */
  readonly #given: Uint8Array[] = [];
  /** Input on its way, and the pool at work. */
  #feeding: Promise<void> | null = null;
  #running: Promise<void> | null = null;
  /** No more input is to be had, or wanted. */
  #fed = false;
  #failed: unknown = null;

  constructor(feed: Feed, signal: AbortSignal, compression: "gzip" | "zstd") {
    this.#feed = feed;
    this.#signal = signal;
    this.#compression = compression;
    this.#expander = compression === "gzip" ? gzipExpander() : zstdExpander(ZSTD_WINDOW_LOG);
    this.#cancelled = new Promise((_, reject) => (this.#reject = reject));
    this.#cancelled.catch(() => {});
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
    for (let count = 0; count < BUFFERS; count++) this.give(Buffer.allocUnsafeSlow(CHUNK));
  }

  /** An empty buffer. */
  give(buffer: Uint8Array): void {
    this.#given.push(buffer);
    this.#expander.give(buffer);
  }

  /** The next chunk; null when the last member is over. */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      this.#keepFed();
      this.#keepRunning();
      const length = this.#take();
      if (length < 0) return null;
      if (length > 0) return (this.#given.shift() as Uint8Array).subarray(0, length);
      // What came before an error of the source is unpacked first.
      if (this.#failed !== null && this.#running === null) throw this.#failed;
      // A source may never answer again; whoever cancels does not wait for it.
      await Promise.race([this.#running ?? this.#feeding, this.#cancelled]);
    }
  }

  close(): void {
    this.#fed = true;
    this.#expander.close();
    this.#signal.removeEventListener("abort", this.#stop);
  }

  #take(): number {
    try {
      return this.#expander.take();
    } catch (error) {
      throw this.#broken(error);
    }
  }

  #keepRunning(): void {
    if (!this.#expander.idle()) return;
    this.#running = this.#expander.run().then(() => {
      this.#running = null;
      this.#keepRunning();
    });
  }

  #keepFed(): void {
    if (this.#feeding !== null || this.#fed || this.#expander.waiting() >= INPUT_BYTES) return;
    this.#feeding = this.#feed
      .next()
      .then((input) => {
        if (input === null) {
          this.#fed = true;
          this.#expander.end();
        } else this.#expander.push(input);
      })
      .catch((error: unknown) => {
        this.#fed = true;
        this.#failed = error;
      })
      .then(() => {
        this.#feeding = null;
        this.#keepRunning();
        this.#keepFed();
      });
  }

  #broken(cause: unknown): unknown {
    if (isTeuError(cause)) return cause;
    const message = this.#expander.between()
      ? "bytes follow the end of the compressed data"
      : `${this.#compression} data is broken`;
    return new TeuError({ code: "corrupt", op: "decompress", message, cause });
  }

  readonly #stop = (): void => this.#reject(endedError("decompress", this.#signal.reason));
}
