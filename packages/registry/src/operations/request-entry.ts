// One request as the logs have it. No credentials, and no query: it may hold some. What clients send is bounded and, as JSON,
// cannot be taken for a line of its own.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Exchange } from "@teu/distribution/server/exchange";
import type { RegistryEvent } from "@teu/distribution/server/registry-event";

/** What both logs hold. */
export interface RequestEntry {
  readonly time: string;
  readonly address: string;
  readonly user: string | null;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly agent: string;
}

/** A request that was answered. */
export interface Answered {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Who sent it; null: nobody in particular. */
  readonly user: string | null;
  readonly milliseconds: number;
}

/** Makes one. */
export function requestEntry({ request, response, user, milliseconds }: Answered, address: string): RequestEntry {
  return {
    time: new Date().toISOString(),
    address,
    user: user?.slice(0, 300) ?? null,
    method: (request.method ?? "").slice(0, 16),
    path: (request.url ?? "").split("?", 1).join("").slice(0, 600),
    status: response.statusCode,
    milliseconds: Math.round(milliseconds * 1000) / 1000,
    agent: (request.headers["user-agent"] ?? "").slice(0, 200),
  };
}

/** What an auditor wants to know of a request for a token: who logged in, and who could not. */
export function loginEntry(entry: RequestEntry): (RequestEntry & { readonly outcome: string }) | undefined {
  const { status, user } = entry;
  if (status === 200) return user === null ? undefined : { ...entry, outcome: "logged in" };
  return { ...entry, outcome: status === 429 ? "slowed down" : "refused" };
}

/** What an auditor wants to know: what was changed, and what was refused. Undefined for anything else. */
export function auditEntry(
  exchange: Exchange,
  entry: RequestEntry,
): (RequestEntry & { readonly outcome: string; readonly events?: readonly RegistryEvent[] }) | undefined {
  const { status } = entry;
  if (status === 401 || status === 403) {
    // Each client is turned away once, before it knows that there is something to log in to.
    const isFirstContact = status === 401 && exchange.header("authorization") === undefined;
    return isFirstContact ? undefined : { ...entry, outcome: "refused" };
  }
  if (status === 429) return { ...entry, outcome: "slowed down" };
  const changes = exchange.events.filter(({ action }) => action !== "pull");
  if (changes.length > 0) return { ...entry, outcome: "done", events: changes };
  return ["PUT", "DELETE"].includes(entry.method) && status >= 400 ? { ...entry, outcome: "failed" } : undefined;
}
