// GET and HEAD /v2/NAME/blobs/DIGEST (end-2): whole or a range, from the storage or by redirect.

import type { ServerResponse } from "node:http";

import { formatContentRange, parseRange, type RangeRequest } from "../../wire/byte-range.ts";
import { CONTENT_DIGEST } from "../../wire/headers.ts";
import { isNotModified, rangeStillApplies } from "../conditional.ts";
import type { Exchange } from "../exchange.ts";
import { checkDigest } from "../names.ts";
import { Problem, problem } from "../problem.ts";

const BLOB = "application/octet-stream";

/** Answers with a blob of this repository; the same digest in another one is not visible here. */
export async function getBlob(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { blobs, metadata, scope } = exchange.context;
  const digest = checkDigest(text);
  const info = await metadata.findBlob(scope, repository, digest);
  if (info === null) throw unknownBlob(digest);
  const etag = `"${digest}"`;
  const headers = {
    "content-type": BLOB,
    [CONTENT_DIGEST]: digest,
    etag,
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000, immutable",
  };
  if (isNotModified(exchange, etag)) return exchange.sendEmpty(304, headers);
  if (exchange.isHead) {
    exchange.sendHead(200, { ...headers, "content-length": info.size });
    exchange.response.end();
    return;
  }
  const target = await blobs.redirect?.(exchange.scope, digest);
  if (target !== undefined && target !== null) return exchange.sendEmpty(307, { ...headers, location: target.href });
  const wanted = rangeStillApplies(exchange, etag)
    ? parseRange(exchange.header("range"), info.size)
    : ({ kind: "whole" } as const);
  if (wanted.kind === "unsatisfiable") {
    throw new Problem(
      416,
      { code: "RANGE_INVALID", message: `the blob has ${info.size} bytes` },
      { "content-range": `bytes */${info.size}` },
    );
  }
  await using blob = await blobs.open(scope, digest);
  if (blob === null) throw unknownBlob(digest);
  const span = wanted.kind === "part" ? wanted : { start: 0, end: blob.size };
  exchange.sendHead(wanted.kind === "part" ? 206 : 200, {
    ...headers,
    "content-length": span.end - span.start,
    ...partHeaders(wanted, blob.size),
  });
  for await (const chunk of blob.read(exchange.scope, span)) {
    if (!(await send(exchange.response, chunk))) return;
  }
  exchange.response.end();
  exchange.happened({ action: "pull", repository, digest, mediaType: BLOB, size: info.size });
}

function partHeaders(wanted: RangeRequest, size: number): Record<string, string> {
  return wanted.kind === "part" ? { "content-range": formatContentRange(wanted, size) } : {};
}

// Resolves when the kernel has the chunk, so that its memory can be used again; false when the client went away.
function send(response: ServerResponse, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false);
    const gone = (): void => resolve(false);
    response.once("close", gone);
    response.write(chunk, (error) => {
      response.off("close", gone);
      resolve(error === null || error === undefined);
    });
  });
}

function unknownBlob(digest: string): Problem {
  return problem(404, "BLOB_UNKNOWN", "blob not known in this repository", { digest });
}
