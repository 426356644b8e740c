// PUT of an upload with `digest` (end-6): the last chunk, if any, then the whole is verified and becomes a blob.

import { CONTENT_DIGEST } from "../../wire/headers.ts";
import { blobPath } from "../../wire/routes.ts";
import { appendBody } from "../body-reader.ts";
import type { Exchange } from "../exchange.ts";
import { checkComputableDigest } from "../names.ts";
import { problem } from "../problem.ts";
import { checkChunk, type UploadRoute } from "../upload-answer.ts";
import type { UploadSessions } from "../upload-sessions.ts";

/** Ends an upload. */
export async function finishUpload(exchange: Exchange, route: UploadRoute, sessions: UploadSessions): Promise<void> {
  const text = exchange.query.get("digest");
  if (text === null) throw problem(400, "DIGEST_INVALID", "the digest parameter is missing");
  const digest = checkComputableDigest(text);
  await using held = await sessions.hold(route.repository, route.id);
  const chunk = checkChunk(exchange, held);
  const received = await appendBody(exchange.request, held.upload, exchange.context.limits);
  await chunk.check(received);
  const { size } = await sessions.finish(held, digest);
  exchange.happened({ action: "push", repository: route.repository, digest, size });
  exchange.sendEmpty(201, { location: blobPath(route.repository, digest), [CONTENT_DIGEST]: digest });
}
