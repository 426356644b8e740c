// Decompresses gzip (several members) and zstd (several and skippable frames) with limits that stop bombs.
// Trailing bytes that are no further member are refused: they would be content that some readers see and others not.
// The work is done in Node's thread pool, some large chunks ahead of the reader.

import { constants, createZstdDecompress, type ZstdDecompress } from "node:zlib";

import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";

import { detectCompression, MAGIC_BYTES } from "./detect.ts";
import { Feed } from "./feed.ts";
import { gunzip } from "./gunzip.ts";

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

/** Of zstd: with 256 KiB an unpacking takes a tenth longer, with 4 MiB no less. */
const CHUNK = 1 << 20;
/** Output that may wait for the reader. */
const AHEAD = 2 * CHUNK;
/** 128 MiB: what zstd itself takes without being told; more is a memory bomb. */
const ZSTD_WINDOW_LOG = 27;

/** How the chunks are given. */
export interface DecompressOptions {
  /** Each chunk is valid until the next one is asked for only; default false: chunks belong to the reader. */
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
    if (compression === "gzip") yield* gunzip(scope, feed, reuse);
    // Engine after engine: node:zlib's zstd ends with the first frame whose end is inside a chunk.
    else for (let first = true; first || (await feed.hasMore()); first = false) yield* unpackFrames(scope, feed);
  } finally {
    await feed.close();
  }
}

async function* unpackFrames(scope: Scope, feed: Feed): AsyncIterable<Uint8Array> {
  const engine = makeEngine();
  const stop = (): void => void engine.destroy(endedError("decompress", scope.signal.reason));
  scope.signal.addEventListener("abort", stop, { once: true });
  let ended = false;
  const over = new Promise<void>((resolve) => {
    engine.once("end", resolve).once("close", resolve);
  });
  // Whatever the pump meets ends the reading below, by destroying the engine.
  const pumped = pump(feed, engine, over).catch((error: unknown) => void engine.destroy(error as Error));
  try {
    yield* engine as AsyncIterable<Uint8Array>;
    ended = true;
  } catch (error) {
    throw zstdError(error);
  } finally {
    scope.signal.removeEventListener("abort", stop);
    engine.destroy();
    // After a failure the pump may be waiting for a source that never answers.
    if (ended) await pumped;
  }
  if (engine.bytesWritten === 0 && (await feed.hasMore())) throw trailing();
}

/** Feeds the engine until it or the input is over; what the engine did not take goes back. */
async function pump(feed: Feed, engine: ZstdDecompress, over: Promise<void>): Promise<void> {
  for (let fed = 0; ;) {
    const chunk = await feed.next();
    if (chunk === null) return void engine.end();
    fed += chunk.length;
    // An engine that has seen its end calls back late or never.
    const written = new Promise<void>((resolve) => void engine.write(chunk, () => resolve()));
    await Promise.race([written, over]);
    const left = fed - engine.bytesWritten;
    if (left > 0) return feed.giveBack(chunk.subarray(chunk.length - left));
    if (engine.destroyed || engine.readableEnded) return;
  }
}

function makeEngine(): ZstdDecompress {
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  const options = { chunkSize: CHUNK, readableHighWaterMark: AHEAD, writableHighWaterMark: AHEAD, params };
  return createZstdDecompress(options);
}

function zstdError(error: unknown): unknown {
  // Not ours to rename: cancellation, or what the source threw.
  if (isTeuError(error)) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || !/^(Z_|ZSTD_|ERR_TRAILING)/.test(code)) return error;
  return new TeuError({ code: "corrupt", op: "decompress", message: "zstd data is broken", cause: error });
}

function trailing(): TeuError {
  return new TeuError({ code: "corrupt", op: "decompress", message: "bytes follow the end of the compressed data" });
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
