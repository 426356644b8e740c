// Compresses to one gzip member with several threads, as pigz does: pieces of fixed size are deflated at the same time, each with
// the end of the one before it as dictionary, and put together in order. Where a piece ends depends on the content alone, so the
// bytes are the same with any number of processors. Any gzip reader takes them.

import { promisify } from "node:util";
import { constants, crc32, deflateRaw, type ZlibOptions } from "node:zlib";

import { endedError, type Scope } from "@teu/base/scope";

/** Bytes deflated in one go. Smaller pieces cost size, larger ones memory. */
const PIECE = 1 << 20;
/** How far back deflate looks. */
const WINDOW = 32 << 10;
/** Pieces at once; Node's thread pool has four threads. */
const AT_ONCE = 4;
/** No name, no time; made on Unix. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
/** An empty block that is the last one. */
const LAST_BLOCK = Buffer.from([3, 0]);

const deflate: (data: Uint8Array, options: ZlibOptions) => Promise<Buffer> = promisify(deflateRaw);

/** The compressed bytes. `level` is 1 to 9. Cancelled with the scope, also while the source keeps it waiting. */
export async function* gzip(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  level: number = constants.Z_DEFAULT_COMPRESSION,
): AsyncIterable<Uint8Array> {
  const deflating: Promise<Buffer>[] = [];
  let dictionary: Uint8Array | null = null;
  let sum = 0;
  let size = 0;
  yield HEADER;
  for await (const piece of pieces(scope, source)) {
    sum = crc32(piece, sum);
    size += piece.length;
    const deflated = deflatePiece(piece, dictionary, level);
    // Seen when its turn comes; until then it must not count as unhandled.
    deflated.catch(() => {});
    deflating.push(deflated);
    dictionary = piece.subarray(Math.max(0, piece.length - WINDOW));
    if (deflating.length === AT_ONCE) yield (await deflating.shift()) as Buffer;
  }
  for (const deflated of deflating) {
    scope.check("compress");
    yield await deflated;
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(sum, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield Buffer.concat([LAST_BLOCK, trailer]);
}

/** Ends at a byte, so that the next piece can follow. */
function deflatePiece(piece: Uint8Array, dictionary: Uint8Array | null, level: number): Promise<Buffer> {
  const options = { level, finishFlush: constants.Z_SYNC_FLUSH, chunkSize: PIECE / 2 };
  return deflate(piece, dictionary === null ? options : { ...options, dictionary });
}

/** The source's bytes in pieces of `PIECE`, each in memory of its own. */
async function* pieces(scope: Scope, source: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let piece = Buffer.allocUnsafeSlow(PIECE);
  let filled = 0;
  for await (const chunk of untilCancelled(scope, source)) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(PIECE - filled, chunk.length - at);
      piece.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < PIECE) continue;
      yield piece;
      piece = Buffer.allocUnsafeSlow(PIECE);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** The source, but whoever cancels does not wait for it. */
async function* untilCancelled(scope: Scope, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let stop: () => void = () => {};
  const cancelled = new Promise<never>((_, reject) => {
    stop = () => reject(endedError("compress", scope.signal.reason));
  });
  cancelled.catch(() => {});
  scope.check("compress");
  scope.signal.addEventListener("abort", stop, { once: true });
  let waiting = false;
  try {
    for (;;) {
      waiting = true;
      const { done, value } = await Promise.race([iterator.next(), cancelled]);
      waiting = false;
      if (done === true) return;
      yield value;
    }
  } finally {
    scope.signal.removeEventListener("abort", stop);
    const returned = iterator.return?.();
    // A generator returns only after the read that is under way, which nobody waits for any more.
    if (waiting) returned?.catch(() => {});
    else await returned;
  }
}
