// Work on many bytes in libuv's thread pool: hashing, and unpacking gzip and zstd. The bytes handed over must stay as they are until
// the promise is settled; one call at a time for each object.

import { attempt } from "./addon.ts";

/** One SHA-2 digest being computed beside the thread that asks. */
export interface PoolHasher {
  /** Takes the bytes. */
  update(data: Uint8Array): Promise<void>;
  /** Of everything taken so far, in hexadecimal. */
  digest(): string;
}

/** What one step did. */
export interface InflateStep {
  /** Bytes of the input that were used. */
  readonly consumed: number;
  /** Bytes of the output that were filled. */
  readonly produced: number;
  /** A member (a frame) is over and whole, and the next has not begun. */
  readonly ended: boolean;
}

/** One gzip member, or a stream of zstd frames, being unpacked. */
export interface PoolInflater {
  /**
   * Goes on until the input is used up, the output full, or the gzip member over. Where the output was filled, more may
   * come without any input. Rejects when the data is not what it should be.
   */
  step(input: Uint8Array, output: Uint8Array): Promise<InflateStep>;
}

/** `bits` is 256 or 512. */
export function poolHasher(bits: 256 | 512): PoolHasher {
  return attempt("hash", `sha${bits}`, ({ Hasher }) => new Hasher(bits));
}

/** An inflater for one member. */
export function poolInflater(): PoolInflater {
  return attempt("inflate", "gzip", ({ Inflater }) => new Inflater());
}

/** Unpacks zstd frames, one after the other; windows beyond 2^`windowLog` bytes are refused. */
export function poolUnzstd(windowLog: number): PoolInflater {
  return attempt("decompress", "zstd", ({ Unzstd }) => new Unzstd(windowLog));
}
