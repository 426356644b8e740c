// Compresses a stream with gzip or zstd. Same input, same bytes: no names, no times in the headers.

import { pipeline } from "node:stream/promises";
import { PassThrough } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";

import type { Scope } from "@teu/base/scope";

import type { Compression } from "./detect.ts";

/** How hard to try: 1 to 9 for gzip (default 6), 1 to 19 for zstd (default 3). */
export interface CompressOptions {
  readonly compression: Compression;
  readonly level?: number;
}

const CHUNK = 256 << 10;

/** The compressed bytes of `source`; with "none" the source itself. Cancelled with the scope. */
export async function* compress(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  options: CompressOptions,
): AsyncIterable<Uint8Array> {
  if (options.compression === "none") {
    yield* source;
    return;
  }
  const engine = makeEngine(options.compression, options.level);
  const out = new PassThrough({ highWaterMark: 4 * CHUNK });
  const done = pipeline(source, engine, out, { signal: scope.signal });
  // Awaited at the end; until then a failure must not count as unhandled.
  done.catch(() => {});
  try {
    yield* out as AsyncIterable<Uint8Array>;
  } catch (error) {
    scope.check("compress");
    throw error;
  } finally {
    out.destroy();
  }
  await done;
}

function makeEngine(compression: "gzip" | "zstd", level: number | undefined): NodeJS.ReadWriteStream {
  if (compression === "gzip") return createGzip({ chunkSize: CHUNK, ...(level === undefined ? {} : { level }) });
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? 3, [constants.ZSTD_c_checksumFlag]: 1 };
  return createZstdCompress({ chunkSize: CHUNK, params });
}
