// GET /v2/NAME/referrers/DIGEST (end-12): an index of the manifests with this subject, in pages, optionally of one artifact type.
// Always 200, also for a subject that was never here.

import { MEDIA_TYPES } from "@teu/specs/image";

import { OCI_FILTERS_APPLIED } from "../../wire/headers.ts";
import { formatNextLink } from "../../wire/link-header.ts";
import { referrersPath } from "../../wire/routes.ts";
import type { Exchange } from "../exchange.ts";
import type { Referrer } from "../metadata-storage.ts";
import { checkDigest } from "../names.ts";

/** Answers with referrers. */
export async function listReferrers(exchange: Exchange, repository: string, text: string): Promise<void> {
  const { limits, metadata, scope } = exchange.context;
  const digest = checkDigest(text);
  const limit = Math.max(1, exchange.pageSize(limits.pageEntries));
  const artifactType = exchange.query.get("artifactType");
  const after = exchange.query.get("last");
  const found = await metadata.listReferrers(scope, repository, digest, {
    limit: limit + 1,
    ...(after === null ? {} : { after }),
    ...(artifactType === null ? {} : { artifactType }),
  });
  const manifests = fitting(found.slice(0, limit), limits.referrersBytes);
  const last = found.length > manifests.length ? manifests.at(-1)?.digest : undefined;
  const query = {
    ...(last === undefined ? {} : { last, n: String(limit) }),
    ...(artifactType === null ? {} : { artifactType }),
  };
  exchange.sendJson(
    200,
    { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests },
    {
      "content-type": MEDIA_TYPES.index,
      ...(artifactType === null ? {} : { [OCI_FILTERS_APPLIED]: "artifactType" }),
      ...(last === undefined ? {} : { link: formatNextLink(referrersPath(repository, digest), query) }),
    },
  );
}

// Annotations can be large: a page ends where the document would outgrow what clients take, but never before its first entry.
function fitting(found: readonly Referrer[], bytes: number): readonly Referrer[] {
  let size = 0;
  const end = found.findIndex((entry, i) => {
    size += JSON.stringify(entry).length + 1;
    return size > bytes && i > 0;
  });
  return end < 0 ? found : found.slice(0, end);
}
