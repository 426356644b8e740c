// The one place where a request is allowed or refused, before any storage is touched. Implementations: everything for everybody
// (here), users and rights (registry package). What depends on what is stored, a tag that may be made but not moved, goes along
// with the permission as `tags` and is asked inside the transaction that would change the tag: there is no second decision.

import type { IncomingHttpHeaders } from "node:http";
import type { Scope } from "@teu/base/scope";

/** What can be asked for. "any" is the ping: being known at all. */
export type AccessAction = "pull" | "push" | "delete" | "catalog" | "any";

/**
 * One right on one repository. "catalog" without a repository is the catalogue itself, with one whether it shows the repository;
 * "any" has none.
 */
export interface AccessRequest {
  readonly action: AccessAction;
  readonly repository: string;
}

/** Who sends a request, as far as the request tells: a node:http request is one. */
export interface Caller {
  readonly headers: IncomingHttpHeaders;
  readonly socket?: { readonly remoteAddress?: string | undefined };
}

/** Who asks. */
export interface Identity {
  /** Null: nobody in particular. */
  readonly name: string | null;
}

/** What may be done to the tags of the repository that was asked for. */
export interface TagRights {
  /** Point a tag at a manifest that it does not point at: `exists` when it points at another one. */
  mayPoint(tag: string, exists: boolean): boolean;
  /** Remove a tag, or content that it stands for. */
  mayRemove(tag: string): boolean;
}

/** Allowed as somebody; or not, with the WWW-Authenticate text when credentials could help (401), without when not (403). */
export type AccessDecision =
  | {
      readonly allowed: true;
      readonly identity: Identity;
      /** Absent: no tag is protected. */
      readonly tags?: TagRights;
    }
  | {
      readonly allowed: false;
      readonly challenge?: string;
      /** Seconds; the answer is then 429. */
      readonly retryAfter?: number;
      /** Who was refused, where that is known: for the log. */
      readonly identity?: Identity;
    };

/** Decides. */
export interface AccessControl {
  decide(scope: Scope, caller: Caller, request: AccessRequest): Promise<AccessDecision> | AccessDecision;
}

const ANYBODY: AccessDecision = { allowed: true, identity: { name: null } };

/** Everything is allowed to everybody. */
export const openAccess: AccessControl = { decide: () => ANYBODY };
