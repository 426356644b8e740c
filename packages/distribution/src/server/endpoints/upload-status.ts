// GET of an upload (end-13): how much has arrived, so that a client can go on after a broken connection.

import type { Exchange } from "../exchange.ts";
import { sendProgress, type UploadRoute } from "../upload-answer.ts";
import type { UploadSessions } from "../upload-sessions.ts";

/** Answers with the progress of an upload. */
export async function uploadStatus(exchange: Exchange, route: UploadRoute, sessions: UploadSessions): Promise<void> {
  await using held = await sessions.hold(route.repository, route.id);
  sendProgress(exchange, held, 204);
}
