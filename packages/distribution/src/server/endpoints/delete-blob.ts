// DELETE /v2/NAME/blobs/DIGEST (end-10): out of this repository only. The bytes go when no repository has them any more (sweep).

import type { Exchange } from "../exchange.ts";
import { checkDigest } from "../names.ts";
import { isProtected } from "../metadata-storage.ts";
import { problem, tagProtected } from "../problem.ts";

/** Unlinks a blob. */
export async function deleteBlob(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { metadata, scope } = exchange.context;
  const digest = checkDigest(text);
  const outcome = await metadata.unlinkBlob(scope, repository, digest, exchange.tags);
  if (isProtected(outcome)) throw tagProtected(outcome.protectedTag);
  if (!outcome) {
    throw problem(404, "BLOB_UNKNOWN", "blob not known in this repository", { digest });
  }
  exchange.happened({ action: "delete", repository, digest });
  exchange.sendEmpty(202);
}
