// Decompresses gzip (several members) and zstd (several and skippable frames) with limits that stop bombs.
// Trailing bytes that are no further member are refused: they would be content that some readers see and others not.
// The work is done in the thread pool, some large chunks ahead of the reader.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { detectCompression, MAGIC_BYTES } from "./detect.ts";
import { Feed } from "./feed.ts";
import { expandInPool } from "./pool-expand.ts";

/** When decompression is called off. */
export interface DecompressLimits {
  /** Largest output in bytes. */
  readonly bytes: number;
  /** Largest output per byte of input, looked at once the output is beyond `ratioFloor` bytes. */
  readonly ratio: number;
  readonly ratioFloor: number;
}

/** Fits every sane layer: 64 GiB, and 250 times the compressed size from 1 GiB on. */
export const DEFAULT_DECOMPRESS_LIMITS: DecompressLimits = { bytes: 64 * 2 ** 30, ratio: 250, ratioFloor: 2 ** 30 };

/** How the chunks are given. */
export interface DecompressOptions {
  /** Each chunk is valid until the one after the next is asked for; default false: chunks belong to the reader. */
  readonly reuse?: boolean;
}

/**
 * The decompressed bytes of `source`, whatever its compression (found by magic).
 * @throws TeuError `corrupt` for broken, cut or trailing data, `exhausted` beyond a limit, `unsupported` for xz and others.
 */
export async function* decompress(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  limits: DecompressLimits = DEFAULT_DECOMPRESS_LIMITS,
  { reuse = false }: DecompressOptions = {},
): AsyncIterable<Uint8Array> {
  const meter = new Meter(limits);
  const input = meter.input(source);
  const { head, rest } = await peek(input);
  const compression = detectCompression(head);
  const output = compression === "none" ? rest : expand(scope, rest, compression, reuse);
  for await (const chunk of output) {
    scope.check("decompress");
    meter.output(chunk.length);
    yield chunk;
  }
}

/** Counts both sides. */
class Meter {
  readonly #limits: DecompressLimits;
  #in = 0;
  #out = 0;

  constructor(limits: DecompressLimits) {
    this.#limits = limits;
  }

  async *input(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      this.#in += chunk.length;
      yield chunk;
    }
  }

  output(length: number): void {
    this.#out += length;
    const { bytes, ratio, ratioFloor } = this.#limits;
    const tooDense = this.#out > ratioFloor && this.#out > this.#in * ratio;
    if (this.#out <= bytes && !tooDense) return;
    const what = tooDense
      ? `${this.#in} bytes became more than ${ratio} times as many`
      : `more than ${bytes} bytes came out`;
    throw new TeuError({
      code: "exhausted",
      op: "decompress",
      message: `${what}: this looks like a decompression bomb`,
      detail: { in: this.#in, out: this.#out },
    });
  }
}

async function* expand(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
  reuse: boolean,
): AsyncIterable<Uint8Array> {
  const feed = new Feed(source);
  try {
    yield* expandInPool(scope, feed, compression, reuse);
  } finally {
    await feed.close();
  }
}

/** The first bytes, and a stream that still begins with them. */
async function peek(source: AsyncIterable<Uint8Array>): Promise<{ head: Uint8Array; rest: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < MAGIC_BYTES) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    chunks.push(value);
    length += value.length;
  }
  const head = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  async function* rest(): AsyncIterable<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head, rest: rest() };
}
