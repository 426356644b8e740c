// Lists that come in pages: tags and the catalogue. Follows Link headers on the same host only, and not for ever.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

import { parseNextLink } from "../wire/link-header.ts";
import type { RegistryRequest, RegistrySession } from "./registry-session.ts";
import { readLimited } from "./response-error.ts";

const PAGE_LIMIT = 16 << 20;
/** Entries in all; a list without an end is an attack. */
const ENTRY_LIMIT = 2_000_000;
/** Pages may be empty, each with a link to another one. */
const MOST_PAGES = 100_000;

/** The bodies of all pages. @throws TeuError `invalid` when a link leads elsewhere or in circles. */
export async function* pagesOf(
  scope: Scope,
  session: RegistrySession,
  first: RegistryRequest,
): AsyncIterable<Uint8Array> {
  const seen = new Set<string>();
  let target: string | URL = first.target;
  for (;;) {
    const url: URL = session.locate(target);
    if (url.origin !== session.base.origin) throw badLink(first, "the next page is on another host");
    if (seen.has(url.href)) throw badLink(first, "the pages lead in a circle");
    if (seen.size === MOST_PAGES) throw badLink(first, `more than ${MOST_PAGES} pages`);
    seen.add(url.href);
    const response = await session.request(scope, { ...first, target: url });
    const next = parseNextLink(response.headerValues("link").join(", "));
    yield await readLimited(first.op, response, PAGE_LIMIT);
    if (next === null) return;
    if (!URL.canParse(next, url.href)) throw badLink(first, "the next page has no valid address");
    target = new URL(next, url);
  }
}

/** The strings under `key` of all pages. @throws TeuError `invalid`. */
export async function* listedStrings(
  scope: Scope,
  session: RegistrySession,
  first: RegistryRequest,
  key: string,
): AsyncIterable<string> {
  let count = 0;
  for await (const page of pagesOf(scope, session, first)) {
    for (const entry of stringsOf(first, page, key)) {
      if (++count > ENTRY_LIMIT) throw badLink(first, `more than ${ENTRY_LIMIT} entries`);
      yield entry;
    }
  }
}

function stringsOf(request: RegistryRequest, page: Uint8Array, key: string): readonly string[] {
  let value: unknown;
  try {
    value = parseJson(decodeUtf8(page), { document: "list", maxLength: PAGE_LIMIT });
  } catch (cause) {
    if (!isTeuError(cause, "invalid")) throw cause;
    throw new TeuError({
      code: "invalid",
      op: request.op,
      subject: request.subject,
      message: "the answer is not a list",
      cause,
    });
  }
  const list = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  // Older registries say null for none.
  if (list === null) return [];
  if (Array.isArray(list) && list.every((entry) => typeof entry === "string")) return list;
  throw badLink(request, `the answer has no list of ${key}`);
}

function badLink(request: RegistryRequest, message: string): TeuError {
  return new TeuError({ code: "invalid", op: request.op, subject: request.subject, message });
}
