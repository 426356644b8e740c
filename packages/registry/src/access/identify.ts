// Who sends a request: what is common to passwords, tokens and client certificates.

import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";
import type { TokenScope } from "@teu/distribution/wire/token-scope";

import type { Person } from "../rights/rights-rules.ts";

/** Who it is, or why that is not known. */
export type Identified =
  | {
      readonly kind: "person";
      readonly person: Person;
      /** A token's rights: at most these, and when `decides`, exactly these. */
      readonly token?: { readonly access: readonly TokenScope[]; readonly decides: boolean };
    }
  /** Credentials that are wrong. */
  | { readonly kind: "refused"; readonly name?: string }
  /** Not looked at now; `retryAfter` in seconds. */
  | { readonly kind: "wait"; readonly retryAfter: number };

/** Reads one kind of credentials. */
export interface Identifier {
  /** Undefined when the request has none of this kind. */
  identify(scope: Scope, caller: Caller, address: string): Promise<Identified> | Identified | undefined;
}

/** Nobody in particular. */
export const NOBODY: Identified = { kind: "person", person: { name: null } };

/** User and password of a Basic header; null for anything else. */
export function readBasic(header: string | undefined): { readonly user: string; readonly password: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Whether a header holds no credentials. Some clients that have none send empty ones. */
export function isAnonymous(header: string | undefined): boolean {
  return header === undefined || /^basic +Og== *$/i.test(header);
}
