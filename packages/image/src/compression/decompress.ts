// Decompresses gzip (several members) and zstd (several and skippable frames) with limits that stop bombs.
// Trailing bytes that are no further member are refused: they would be content that some readers see and others not.
// The work is done in Node's thread pool, one large chunk ahead of the reader.

import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";

import { isTeuError, TeuError } from "@teu/base/errors";
import { endedError, type Scope } from "@teu/base/scope";

import { type Compression, detectCompression, MAGIC_BYTES } from "./detect.ts";

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

/** Twice as fast as zlib's default of 16 KiB. */
const CHUNK = 256 << 10;
/** Output that may wait for the reader. */
const AHEAD = 4 * CHUNK;
/** 128 MiB: what zstd itself takes without being told; more is a memory bomb. */
const ZSTD_WINDOW_LOG = 27;

/**
 * The decompressed bytes of `source`, whatever its compression (found by magic). Chunks belong to the reader.
 * @throws TeuError `corrupt` for broken, cut or trailing data, `exhausted` beyond a limit, `unsupported` for xz and others.
 */
export async function* decompress(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  limits: DecompressLimits = DEFAULT_DECOMPRESS_LIMITS,
): AsyncIterable<Uint8Array> {
  const meter = new Meter(limits);
  const input = meter.input(source);
  const { head, rest } = await peek(input);
  const compression = detectCompression(head);
  const output = compression === "none" ? rest : inflate(scope, rest, compression);
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

/** Engine after engine: node:zlib's zstd ends with the first frame whose end is inside a chunk. */
async function* inflate(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  compression: Exclude<Compression, "none">,
): AsyncIterable<Uint8Array> {
  const feed = new Feed(source);
  try {
    for (let first = true; first || (await feed.hasMore()); first = false) {
      // gunzip knows about members, so what it leaves is none.
      if (!first && compression === "gzip") throw trailing();
      yield* inflateOne(scope, feed, compression);
    }
  } finally {
    await feed.close();
  }
}

async function* inflateOne(
  scope: Scope,
  feed: Feed,
  compression: Exclude<Compression, "none">,
): AsyncIterable<Uint8Array> {
  const engine = makeEngine(compression);
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
    throw decompressError(error, compression);
  } finally {
    scope.signal.removeEventListener("abort", stop);
    engine.destroy();
    // After a failure the pump may be waiting for a source that never answers.
    if (ended) await pumped;
  }
  if (engine.bytesWritten === 0 && (await feed.hasMore())) throw trailing();
}

/** Feeds the engine until it or the input is over; what the engine did not take goes back. */
async function pump(feed: Feed, engine: Gunzip | ZstdDecompress, over: Promise<void>): Promise<void> {
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

/** The input, one chunk read ahead, with room for what was given back. */
class Feed {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #back: Uint8Array | null = null;
  #ahead: Promise<IteratorResult<Uint8Array>> | null = null;
  #done = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async next(): Promise<Uint8Array | null> {
    const back = this.#back;
    this.#back = null;
    if (back !== null) return back;
    while (!this.#done) {
      const { done, value } = await (this.#ahead ?? this.#iterator.next());
      this.#ahead = null;
      if (done === true) this.#done = true;
      else if (value.length > 0) {
        this.#readAhead();
        return value;
      }
    }
    return null;
  }

  giveBack(chunk: Uint8Array): void {
    this.#back = chunk;
  }

  async hasMore(): Promise<boolean> {
    this.#back ??= await this.next();
    return this.#back !== null;
  }

  async close(): Promise<void> {
    if (this.#done) return;
    const returned = this.#iterator.return?.();
    // A generator returns only after the read that is under way, which nobody waits for any more.
    if (this.#ahead === null) await returned;
    else returned?.catch(() => {});
  }

  #readAhead(): void {
    this.#ahead = this.#iterator.next();
    // Seen by the next `next`; until then it must not count as unhandled.
    this.#ahead.catch(() => {});
  }
}

function makeEngine(compression: Exclude<Compression, "none">): Gunzip | ZstdDecompress {
  const options = { chunkSize: CHUNK, readableHighWaterMark: AHEAD, writableHighWaterMark: AHEAD };
  if (compression === "gzip") return createGunzip(options);
  return createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
}

function decompressError(error: unknown, compression: string): unknown {
  // Not ours to rename: cancellation, or what the source threw.
  if (isTeuError(error)) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || !/^(Z_|ZSTD_|ERR_TRAILING)/.test(code)) return error;
  return new TeuError({ code: "corrupt", op: "decompress", message: `${compression} data is broken`, cause: error });
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
