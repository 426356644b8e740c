// Compresses a stream with gzip or zstd. Same input, same bytes, on any machine: no names, no times in the headers.

import { pipeline } from "node:stream/promises";
import { PassThrough } from "node:stream";
import { constants, createZstdCompress } from "node:zlib";

import type { Scope } from "@teu/base/scope";

import type { Compression } from "./detect.ts";
import { gzip } from "./gzip.ts";

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
  if (options.compression === "gzip") {
    yield* gzip(scope, source, options.level);
    return;
  }
  const engine = zstdEngine(options.level);
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

function zstdEngine(level: number = 3): NodeJS.ReadWriteStream {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  return createZstdCompress({ chunkSize: CHUNK, params });
}
