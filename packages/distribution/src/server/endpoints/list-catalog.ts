// GET /v2/_catalog (reserved extension): names of repositories, in pages, only those that the caller may see.

import { formatNextLink } from "../../wire/link-header.ts";
import type { Exchange } from "../exchange.ts";

/** Entries when the client names no number. */
const DEFAULT_ENTRIES = 1000;

/** Answers with repository names. */
export async function listCatalog(exchange: Exchange): Promise<void> {
  const limit = exchange.pageSize(Math.min(DEFAULT_ENTRIES, exchange.context.limits.pageEntries));
  const names = await visibleNames(exchange, limit + 1);
  const repositories = names.slice(0, limit);
  const last = names.length > limit ? repositories.at(-1) : undefined;
  const headers = last === undefined ? {} : { link: formatNextLink("/v2/_catalog", { last, n: String(limit) }) };
  exchange.sendJson(200, { repositories }, headers);
}

// Rights are asked name by name, so a page may take several looks into the index.
async function visibleNames(exchange: Exchange, wanted: number): Promise<string[]> {
  const { access, metadata, scope } = exchange.context;
  const names: string[] = [];
  let after = exchange.query.get("last") ?? undefined;
  while (names.length < wanted) {
    const limit = wanted - names.length;
    const found = await metadata.listRepositories(scope, { limit, ...(after === undefined ? {} : { after }) });
    for (const repository of found) {
      const decision = await access.decide(scope, exchange.request, { action: "catalog", repository });
      if (decision.allowed) names.push(repository);
    }
    if (found.length < limit) break;
    after = found.at(-1);
  }
  return names;
}
