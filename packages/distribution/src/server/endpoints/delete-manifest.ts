// DELETE /v2/NAME/manifests/REFERENCE (end-9): by tag only the tag goes, by digest the manifest and every tag that points at it.

import type { Exchange } from "../exchange.ts";
import { checkReference } from "../names.ts";
import { isProtected } from "../metadata-storage.ts";
import { problem, tagProtected } from "../problem.ts";

/** Removes a tag or a manifest. */
export async function deleteManifest(exchange: Exchange, repository: string, reference: string): Promise<void> {
  const { metadata, scope } = exchange.context;
  const name = checkReference(reference);
  const { tags } = exchange;
  if ("tag" in name && tags !== undefined && !tags.mayRemove(name.tag)) throw tagProtected(name.tag);
  const removed =
    "tag" in name
      ? await metadata.deleteTag(scope, repository, name.tag)
      : await metadata.deleteManifest(scope, repository, name.digest, tags);
  if (isProtected(removed)) throw tagProtected(removed.protectedTag);
  if (removed === null) throw problem(404, "MANIFEST_UNKNOWN", "manifest not known", { name: repository, reference });
  exchange.happened({ action: "delete", repository, ...name });
  exchange.sendEmpty(202);
}
