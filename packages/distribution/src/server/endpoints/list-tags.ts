// GET /v2/NAME/tags/list (end-8): sorted, in pages.

import { formatNextLink } from "../../wire/link-header.ts";
import { tagsPath } from "../../wire/routes.ts";
import type { Exchange } from "../exchange.ts";
import { problem } from "../problem.ts";

/** Answers with tags. */
export async function listTags(exchange: Exchange, repository: string): Promise<void> {
  const { metadata, scope, limits } = exchange.context;
  const limit = exchange.pageSize(limits.pageEntries);
  const after = exchange.query.get("last");
  // One more than asked for tells whether there is a next page.
  const found = await metadata.listTags(scope, repository, { limit: limit + 1, ...(after === null ? {} : { after }) });
  if (found === null) throw problem(404, "NAME_UNKNOWN", "repository not known", { name: repository });
  const tags = found.slice(0, limit);
  const last = found.length > limit ? tags.at(-1) : undefined;
  const headers = last === undefined ? {} : { link: formatNextLink(tagsPath(repository), { last, n: String(limit) }) };
  exchange.sendJson(200, { name: repository, tags }, headers);
}
