// Reads request bodies: whole and bounded for manifests, in large batches for blobs, and never slower than a limit
// (a client that drips a byte now and then would otherwise hold its session for ever).

import type { IncomingMessage } from "node:http";
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
  let batch: Uint8Array[] = [];
  let size = 0;
  let total = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    const full = batch;
    batch = [];
    size = 0;
    writing = upload.write(full);
    // Handled where it is awaited next; without this a failure in between would count as nobody's.
    writing.catch(() => {});
  };
  try {
    for await (const chunk of chunksOf(request, limits)) {
      batch.push(chunk);
      size += chunk.length;
      total += chunk.length;
      if (size >= BATCH) await flush();
    }
  } finally {
    if (size > 0) await flush();
    await writing;
  }
  return total;
}

async function* chunksOf(request: IncomingMessage, limits: ServerLimits): AsyncGenerator<Uint8Array> {
  let seen = 0;
  let seenBefore = 0;
  const watch = setInterval(() => {
    if (seen - seenBefore < (limits.bodyRate * limits.bodyWindow) / 1000 && !request.readableLength) {
      request.destroy(new TeuError({ code: "timeout", op: "receive a body", message: "the client sends too slowly" }));
    }
    seenBefore = seen;
  }, limits.bodyWindow);
  watch.unref();
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      seen += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (request.errored !== null && (request.errored as NodeJS.ErrnoException).code === "ECONNRESET") {
      throw problem(400, "SIZE_INVALID", "the connection ended before the body");
    }
    throw error;
  } finally {
    clearInterval(watch);
  }
}

function tooLarge(limit: number): Error {
  return problem(413, "SIZE_INVALID", `a manifest may have ${limit} bytes at most`);
}
