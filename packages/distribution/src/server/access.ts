// The one place where a request is allowed or refused, before any storage is touched. Implementations: anonymous for all (here),
// Basic with htpasswd (registry package); tokens and policies come as further implementations of the same contract.

import type { IncomingHttpHeaders } from "node:http";
import type { Scope } from "@teu/base/scope";

/** What can be asked for. "any" is the ping: being known at all. */
export type AccessAction = "pull" | "push" | "delete" | "catalog" | "any";

/** One right on one repository; `repository` is empty for "catalog" and "any". */
export interface AccessRequest {
  readonly action: AccessAction;
  readonly repository: string;
}

/** Who asks. */
export interface Identity {
  /** Null: nobody in particular. */
  readonly name: string | null;
}

/** Allowed as somebody; or not, with the WWW-Authenticate text when credentials could help (401), without when not (403). */
export type AccessDecision =
  | { readonly allowed: true; readonly identity: Identity }
  | { readonly allowed: false; readonly challenge?: string; readonly retryAfter?: number };

/** Decides. */
export interface AccessControl {
  decide(scope: Scope, headers: IncomingHttpHeaders, request: AccessRequest): Promise<AccessDecision> | AccessDecision;
}

const ANYBODY: AccessDecision = { allowed: true, identity: { name: null } };

/** Everything is allowed to everybody. */
export const openAccess: AccessControl = { decide: () => ANYBODY };
