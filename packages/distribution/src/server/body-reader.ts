// Reads request bodies: whole and bounded for manifests, in large batches for blobs, and never slower than a limit
// (a client that drips a byte now and then would otherwise hold its session for ever).

import type { IncomingMessage } from "node:http";
import { finished } from "node:stream";
import { TeuError } from "@teu/base/errors";

import type { BlobUpload } from "./blob-storage.ts";
import { problem } from "./problem.ts";
import type { ServerLimits } from "./server-options.ts";

/** Bytes gathered before they are written: small writes are what makes uploads slow. */
const BATCH = 1 << 20;

/**
 * The whole body.
 * @throws Problem 413 beyond `limit` bytes, 400 when it was cut short.
 */
export async function readBody(request: IncomingMessage, limit: number, limits: ServerLimits): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? "0");
  if (declared > limit) throw tooLarge(limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(request, limits)) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, size);
}

/**
 * Appends the whole body to an upload; what came before a broken connection stays there.
 * Returns how many bytes that were.
 */
export async function appendBody(request: IncomingMessage, upload: BlobUpload, limits: ServerLimits): Promise<number> {
  let total = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const { chunks, size } of batchesOf(request, limits)) {
      await writing;
      total += size;
      writing = upload.write(chunks).finally(() => chunks.forEach(free));
      // Handled where it is awaited next; without this a failure in between would count as nobody's.
      writing.catch(() => {});
    }
  } finally {
    await writing;
  }
  return total;
}

// A chunk of a body has its memory to itself. Given back at once it is used again; left to the garbage collector, every 64 MB of
// uploads cost a collection, and there is that much more in use.
function free(chunk: Uint8Array): void {
  if (chunk.length === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer) chunk.buffer.transfer(0);
}

interface Batch {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
}

// A body as it comes, in large batches, the last ones before a failure included. One more is gathered while one is in use.
// By events: reading a stream by iteration joins what it has buffered, which is one more copy of everything.
async function* batchesOf(request: IncomingMessage, limits: ServerLimits): AsyncGenerator<Batch> {
  let chunks: Uint8Array[] = [];
  let size = 0;
  const end: { reached: boolean; error?: unknown } = { reached: false };
  let wake = (): void => {};
  let seen = 0;
  const take = (chunk: Uint8Array): void => {
    chunks.push(chunk);
    seen += chunk.length;
    size += chunk.length;
    if (size < BATCH) return;
    request.pause();
    wake();
  };
  const unwatch = finished(request, { writable: false }, (error) => {
    end.reached = true;
    end.error = error;
    wake();
  });
  using _ = watchRate(request, limits, () => (request.isPaused() ? null : seen));
  request.on("data", take);
  try {
    while (!end.reached || size > 0) {
      if (!end.reached && size < BATCH) await new Promise<void>((resolve) => (wake = resolve));
      if (size === 0) continue;
      const batch = { chunks, size };
      [chunks, size] = [[], 0];
      request.resume();
      yield batch;
    }
    if (end.error != null) throw bodyError(request, end.error);
  } finally {
    unwatch();
    request.off("data", take);
  }
}

async function* chunksOf(request: IncomingMessage, limits: ServerLimits): AsyncGenerator<Uint8Array> {
  let seen = 0;
  using _ = watchRate(request, limits, () => (request.readableLength > 0 ? null : seen));
  try {
    // Who stops in the middle still wants to answer on this connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      seen += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw bodyError(request, error);
  }
}

// Ends a request whose client drips. `progress`: bytes of the body so far; null while it is not the client who is waited for.
function watchRate(request: IncomingMessage, limits: ServerLimits, progress: () => number | null): Disposable {
  let before = 0;
  const watch = setInterval(() => {
    const seen = progress();
    if (seen !== null && seen - before < (limits.bodyRate * limits.bodyWindow) / 1000)
      request.destroy(new TeuError({ code: "timeout", op: "receive a body", message: "the client sends too slowly" }));
    before = seen ?? before;
  }, limits.bodyWindow);
  watch.unref();
  return { [Symbol.dispose]: () => clearInterval(watch) };
}

function bodyError(request: IncomingMessage, error: unknown): unknown {
  const code = ((request.errored ?? error) as NodeJS.ErrnoException).code;
  const cut = code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
  return cut ? problem(400, "SIZE_INVALID", "the connection ended before the body") : error;
}

function tooLarge(limit: number): Error {
  return problem(413, "SIZE_INVALID", `a manifest may have ${limit} bytes at most`);
}
