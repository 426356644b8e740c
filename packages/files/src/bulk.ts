// Work on many bytes, most of it in libuv's thread pool: hashing, and unpacking gzip and zstd. Bytes handed over must stay as they are until
// the work on them is done; one promise at a time for each object.

import { attempt, type NativeHasher } from "./addon.ts";

/** One SHA-2 digest being computed, beside the thread that asks or on it. node:crypto can do the latter, but takes ten milliseconds to load. */
export interface Hasher extends NativeHasher {
  /** Takes the bytes at once, on this thread. */
  take(data: Uint8Array): void;
  /** Takes the bytes. */
  update(data: Uint8Array): Promise<void>;
  /**
   * Takes `length` bytes of an open file from `offset` on, without a copy in this process's heap; resolves to how many there were.
   * Rejects, with the call's name and what it says, when the file cannot be read.
   */
  updateFromFile(fd: number, offset: number, length: number): Promise<number>;
  /** Of everything taken so far, in hexadecimal. */
  digest(): string;
}

/** A stream of gzip members or zstd frames being unpacked ahead of who reads it, in the order in which everything was handed over. */
export interface PoolExpander {
  /** More input, never empty. */
  push(input: Uint8Array): void;
  /** No more input comes. */
  end(): void;
  /** Bytes of the pieces of input that are not used up, and have to stay as they are. */
  waiting(): number;
  /** An empty buffer to fill; the expander's until `take` has said how far it is filled. */
  give(output: Uint8Array): void;
  /**
   * Bytes in the first of the buffers that were given and not taken; 0 when it is not filled yet (`run`, and ask again),
   * -1 when everything was taken. Throws when the data is not what it should be, once all that came before was taken.
   */
  take(): number;
  /** Whether a member (a frame) is over and whole, and the next has not begun. */
  between(): boolean;
  /** Whether `run` would find something to do, and none runs. */
  idle(): boolean;
  /** Goes on until there is no input or no buffer, or there is something for a `take` that got 0. Never rejects. */
  run(): Promise<void>;
  /** Stops soon; what was handed over is the expander's until a `run` that is under way is settled. */
  close(): void;
}

/** `bits` is 256 or 512. */
export function hasher(bits: 256 | 512): Hasher {
  return attempt("hash", `sha${bits}`, ({ Hasher }) => new Hasher(bits));
}

/** For gzip members. */
export function gzipExpander(): PoolExpander {
  return attempt("inflate", "gzip", ({ Expander }) => new Expander(0));
}

/** For zstd frames; windows beyond 2^`windowLog` bytes are refused. */
export function zstdExpander(windowLog: number): PoolExpander {
  return attempt("decompress", "zstd", ({ Expander }) => new Expander(windowLog));
}
