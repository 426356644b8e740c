// Conditional requests (RFC 9110, section 13), as far as a store of immutable content needs them.

import { type Digest, isDigest } from "@teu/image/digest";

import type { Exchange } from "./exchange.ts";
import { problem } from "./problem.ts";

/** Whether If-None-Match says that the client has this already. */
export function isNotModified(exchange: Exchange, etag: string): boolean {
  const header = exchange.header("if-none-match");
  if (header === undefined) return false;
  return header.trim() === "*" || tagsIn(header).includes(etag);
}

/** Whether Range is to be looked at: not when If-Range names something else. */
export function rangeStillApplies(exchange: Exchange, etag: string): boolean {
  const header = exchange.header("if-range");
  return header === undefined || header.trim() === etag;
}

/** What If-Match or If-None-Match demand of the tag that a push would move. @throws Problem 400 when it cannot be understood. */
export function pushCondition(exchange: Exchange): Digest | "any" | "none" | undefined {
  const match = exchange.header("if-match");
  const noneMatch = exchange.header("if-none-match");
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== "*" || match !== undefined)
      throw problem(400, "UNSUPPORTED", "only If-None-Match: * is understood here");
    return "none";
  }
  if (match === undefined) return undefined;
  if (match.trim() === "*") return "any";
  const [etag = "", ...more] = tagsIn(match);
  const digest = etag.slice(1, -1);
  if (more.length > 0 || !isDigest(digest))
    throw problem(400, "UNSUPPORTED", "If-Match takes * or the ETag of one manifest");
  return digest;
}

function tagsIn(header: string): string[] {
  return header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
}
