// How many requests one address and one user may send: a bucket each, which fills at a steady rate up to its size.

import { networkOf } from "./attempt-limits.ts";

/** One limit. */
export interface RequestLimit {
  /** Requests per second, over time. */
  readonly rate: number;
  /** Requests at once. */
  readonly burst: number;
}

/** Limits; absent ones do not limit. */
export interface RequestLimitOptions {
  readonly perAddress?: RequestLimit;
  readonly perUser?: RequestLimit;
}

interface Bucket {
  left: number;
  at: number;
}

/** Buckets of each kind; the longest unused go first: they are full by then. */
const MOST = 50_000;

/** See the head of this file. */
export class RequestLimits {
  readonly #options: RequestLimitOptions;
  readonly #addresses: Map<string, Bucket> = new Map();
  readonly #users: Map<string, Bucket> = new Map();

  constructor(options: RequestLimitOptions) {
    this.#options = options;
  }

  /** Counts a request of an address; the seconds to wait when it is too much, else 0. */
  address(now: number, addressOf: () => string): number {
    const { perAddress } = this.#options;
    if (perAddress === undefined) return 0;
    const address = addressOf();
    return address === "" ? 0 : take(this.#addresses, networkOf(address), perAddress, now);
  }

  /** Counts a request of a user. */
  user(now: number, user: string): number {
    const { perUser } = this.#options;
    return perUser === undefined ? 0 : take(this.#users, user, perUser, now);
  }
}

function take(buckets: Map<string, Bucket>, key: string, { rate, burst }: RequestLimit, now: number): number {
  const bucket = buckets.get(key) ?? { left: burst, at: now };
  // A clock that was set back fills nothing and empties nothing.
  const left = Math.min(burst, bucket.left + (Math.max(0, now - bucket.at) / 1000) * rate);
  const enough = left >= 1;
  buckets.delete(key);
  buckets.set(key, { left: enough ? left - 1 : left, at: now });
  const [oldest] = buckets.keys();
  if (buckets.size > MOST && oldest !== undefined) buckets.delete(oldest);
  return enough ? 0 : Math.max(1, Math.ceil((1 - left) / rate));
}
