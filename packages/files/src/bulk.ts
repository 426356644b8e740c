// Work on many bytes in libuv's thread pool: hashing, and inflating gzip. The bytes handed over must stay as they are until
// the promise is settled; one call at a time for each object.

import { attempt } from "./addon.ts";

/** One SHA-2 digest being computed beside the thread that asks. */
export interface PoolHasher {
  /** Takes the bytes. */
  update(data: Uint8Array): Promise<void>;
  /** Of everything taken so far, in hexadecimal. */
  digest(): string;
}

/** What one step of an inflater did. */
export interface InflateStep {
  /** Bytes of the input that were used. */
  readonly consumed: number;
  /** Bytes of the output that were filled. */
  readonly produced: number;
  /** The member is over and whole; what is left of the input is not its own. */
  readonly ended: boolean;
}

/** One gzip member being inflated. */
export interface PoolInflater {
  /** Inflates until the input is used up, the output full, or the member over. Rejects when the data is no gzip. */
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
