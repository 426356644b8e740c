// sys:host: what QuickJS lacks: clocks, randomness, digests, UTF-8, the two standard writers.

declare module "sys:host" {
  /** CLOCK_MONOTONIC, nanoseconds. */
  export function monotonicNs(): bigint;
  /** CLOCK_REALTIME, nanoseconds since 1970. */
  export function realtimeNs(): bigint;
  export function sleepMs(milliseconds: number): void;
  export function randomBytes(count: number): Uint8Array;
  /** Lower-case hex. */
  export function sha256Hex(data: Uint8Array | string): string;
  /** Surrogate escapes (see sys:fs) become the bytes that they stand for, other lone surrogates U+FFFD. */
  export function utf8Encode(text: string): Uint8Array;
  /** Invalid bytes become U+FFFD. */
  export function utf8Decode(data: Uint8Array): string;
  /** Writes the text and a newline to standard output. */
  export function print(text: string): void;
  /** The same to standard error. */
  export function printError(text: string): void;
  /** Version of the host and of QuickJS inside it. */
  export function version(): { host: string; quickjs: string };
  /** Peak and current resident set, KiB (getrusage, /proc/self/statm). */
  export function memory(): { peakKiB: number; currentKiB: number };
  /**
   * For each line of `data` (up to and with its "\n"; a rest without one counts as a line): `before`, the line as the inside
   * of a JSON string (quotes, backslashes and control characters escaped, invalid UTF-8 as U+FFFD), `after`. Empty for no data.
   */
  export function jsonLines(data: Uint8Array, before: string, after: string): Uint8Array;
  /**
   * Is a text that JSON.parse takes surely I-JSON (RFC 7493: no name twice in an object, no lone surrogates), nested no deeper than
   * `maxDepth`? False also when only a slower look could tell.
   */
  export function isStrictJson(text: string, maxDepth: number): boolean;
}
