// DELETE of an upload (end-14): forgets it and its bytes.

import type { Exchange } from "../exchange.ts";
import type { UploadRoute } from "../upload-answer.ts";
import type { UploadSessions } from "../upload-sessions.ts";

/** Cancels an upload. */
export async function cancelUpload(exchange: Exchange, route: UploadRoute, sessions: UploadSessions): Promise<void> {
  await using held = await sessions.hold(route.repository, route.id);
  await sessions.cancel(held);
  exchange.sendEmpty(204);
}
