// PATCH of an upload (end-5): the next chunk with its Content-Range, or a stream without one.

import { appendBody } from "../body-reader.ts";
import type { Exchange } from "../exchange.ts";
import { checkChunk, sendProgress, type UploadRoute } from "../upload-answer.ts";
import type { UploadSessions } from "../upload-sessions.ts";

/** Appends to an upload. */
export async function appendUpload(exchange: Exchange, route: UploadRoute, sessions: UploadSessions): Promise<void> {
  await using held = await sessions.hold(route.repository, route.id);
  const chunk = checkChunk(exchange, held);
  const received = await appendBody(exchange.request, held.upload, exchange.context.limits);
  await chunk.check(received);
  sendProgress(exchange, held, 202);
}
