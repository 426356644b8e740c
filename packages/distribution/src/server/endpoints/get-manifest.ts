// GET and HEAD /v2/NAME/manifests/REFERENCE: the bytes as they were pushed (end-3).
// The stored type is sent whatever Accept says: converting would change the digest.

import { CONTENT_DIGEST } from "../../wire/headers.ts";
import type { Exchange } from "../exchange.ts";
import { isNotModified } from "../conditional.ts";
import { checkReference } from "../names.ts";
import { problem } from "../problem.ts";

/** Answers with a manifest. */
export async function getManifest(exchange: Exchange, repository: string, reference: string): Promise<void> {
  const { metadata, scope } = exchange.context;
  const manifest = await metadata.findManifest(scope, repository, checkReference(reference));
  if (manifest === null) throw problem(404, "MANIFEST_UNKNOWN", "manifest not known", { name: repository, reference });
  const { digest, mediaType, bytes } = manifest;
  const etag = `"${digest}"`;
  const headers = { "content-type": mediaType, [CONTENT_DIGEST]: digest, etag };
  if (isNotModified(exchange, etag)) exchange.sendEmpty(304, headers);
  else exchange.sendBytes(200, headers, bytes);
  if (exchange.isHead) return;
  metadata.notePull(scope, repository, digest);
  const tag = reference.includes(":") ? {} : { tag: reference };
  exchange.happened({ action: "pull", repository, digest, mediaType, size: bytes.length, ...tag });
}
