// Redirects, followed by ourselves: what one host was trusted with must not reach another
// (CVE-2020-15157: credentials sent along to a foreign host; CVE-2021-32690 and its like).

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { HttpRequest, HttpResponse, HttpTransport } from "./http-transport.ts";
import { isLinkLocal, isLoopback } from "./loopback.ts";

const MOST = 10;
/** Keep method and body; the others mean "look there", which makes no sense for what changes something. */
const KEEPING: ReadonlySet<number> = new Set([307, 308]);
const LOOKING: ReadonlySet<number> = new Set([301, 302, 303]);
/** Headers that may go to another host. Everything else was meant for the first one. */
const HARMLESS: ReadonlySet<string> = new Set([
  "accept",
  "range",
  "content-type",
  "content-range",
  "user-agent",
  "accept-encoding",
]);

/** Sends a request and follows redirects; the answer's `url` is where it came from in the end. */
export async function sendFollowing(
  scope: Scope,
  transport: HttpTransport,
  request: HttpRequest,
): Promise<HttpResponse> {
  let current = request;
  for (let count = 0; ; count++) {
    const response = await transport.send(scope, current);
    const { location } = response.headers;
    const reads = current.method === "GET" || current.method === "HEAD";
    const follows = KEEPING.has(response.status) || (reads && LOOKING.has(response.status));
    if (!follows || location === undefined) return response;
    await response[Symbol.asyncDispose]();
    if (count === MOST) throw refuse(request.url, `more than ${MOST} redirects`);
    const target = resolveTarget(current.url, location);
    current = { ...current, url: target, headers: headersFor(current.headers, current.url, target) };
  }
}

/**
 * The URL that a Location header of `from` names, if it may be used.
 * @throws TeuError `denied` for other protocols, from TLS to none, to link-local addresses and from outside to this machine.
 */
export function resolveTarget(from: URL, location: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (target === null || (target.protocol !== "https:" && target.protocol !== "http:")) {
    throw refuse(from, `it points to ${JSON.stringify(location.slice(0, 200))}, which is no HTTP address`);
  }
  target.username = "";
  target.password = "";
  target.hash = "";
  if (isSameOrigin(from, target)) return target;
  if (from.protocol === "https:" && target.protocol === "http:")
    throw refuse(from, `it leads from TLS to plain HTTP at ${target.host}`);
  if (isLinkLocal(target.hostname)) throw refuse(from, `it leads to the link-local address ${target.hostname}`);
  if (isLoopback(target.hostname) && !isLoopback(from.hostname))
    throw refuse(from, `it leads to this machine (${target.host})`);
  return target;
}

/** Same protocol, host and port. */
export function isSameOrigin(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host;
}

/** The headers of a request to `from` that may go to `to`. */
export function headersFor(headers: Readonly<Record<string, string>>, from: URL, to: URL): Record<string, string> {
  if (isSameOrigin(from, to)) return { ...headers };
  return Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name.toLowerCase())));
}

function refuse(from: URL, message: string): TeuError {
  return new TeuError({
    code: "denied",
    op: "follow redirect",
    subject: from.host,
    message,
    hint: "the registry, or something in front of it, is misconfigured or hostile",
  });
}
