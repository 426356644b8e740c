// The registry's decision on every request, before any storage is touched: who asks (once per request), what the rules give that
// person on that repository, and what is switched off for everybody. No other place decides: checks in two places drift apart
// (distribution CVE-2026-41888), and one that looks into the storage first tells strangers what there is.

import type { Scope } from "@teu/base/scope";
import type { AccessControl, AccessDecision, AccessRequest, Caller, TagRights } from "@teu/distribution/server/access";
import type { TokenScope } from "@teu/distribution/wire/token-scope";

import { type Right, RIGHTS, type RightsRules } from "../rights/rights-rules.ts";
import { type Identified, type Identifier, isAnonymous, NOBODY } from "./identify.ts";
import type { RequestLimits } from "./request-limits.ts";

/** What is asked of a client that is not let in: the text of WWW-Authenticate. */
export type MakeChallenge = (caller: Caller, scope: TokenScope | null, error?: string) => string;

/** What decisions are made of. */
export interface GuardSettings {
  readonly rules: RightsRules;
  /** In the order in which they are asked. None: nobody can log in, and everybody is nobody. */
  readonly identifiers: readonly Identifier[];
  readonly challenge: MakeChallenge;
  readonly limits: RequestLimits;
  /** Whether a repository is kept for another registry: nobody pushes to it. */
  readonly isProxied: (repository: string) => boolean;
  /** The address of whoever sends a request. */
  readonly addressOf: (caller: Caller) => string;
}

/** See the head of this file. */
export class GuardedAccess implements AccessControl {
  /** May be exchanged at any time: the next request goes by the new ones. */
  settings: GuardSettings;
  readonly #identified: WeakMap<Caller, Identified | Promise<Identified>> = new WeakMap();

  constructor(settings: GuardSettings) {
    this.settings = settings;
  }

  decide(scope: Scope, caller: Caller, request: AccessRequest): Promise<AccessDecision> | AccessDecision {
    const identified = this.identify(scope, caller);
    return "then" in identified
      ? identified.then((known) => this.#judge(known, caller, request))
      : this.#judge(identified, caller, request);
  }

  /** Who sends a request; found out once for each, and counted. */
  identify(scope: Scope, caller: Caller): Promise<Identified> | Identified {
    const before = this.#identified.get(caller);
    if (before !== undefined) return before;
    const identified = this.#identify(scope, caller);
    this.#identified.set(caller, identified);
    return identified;
  }

  #identify(scope: Scope, caller: Caller): Promise<Identified> | Identified {
    const { identifiers, limits, addressOf } = this.settings;
    const wait = limits.address(scope.now(), () => addressOf(caller));
    if (wait > 0) return { kind: "wait", retryAfter: wait };
    if (identifiers.length === 0) return NOBODY;
    const address = addressOf(caller);
    for (const identifier of identifiers) {
      const found = identifier.identify(scope, caller, address);
      if (found !== undefined)
        return "then" in found ? found.then((known) => this.#counted(scope, known)) : this.#counted(scope, found);
    }
    // Credentials of a kind that is not taken here are wrong ones.
    return isAnonymous(caller.headers.authorization) ? NOBODY : { kind: "refused" };
  }

  #counted(scope: Scope, identified: Identified): Identified {
    const name = identified.kind === "person" ? identified.person.name : null;
    const wait = name === null ? 0 : this.settings.limits.user(scope.now(), name);
    return wait > 0 ? { kind: "wait", retryAfter: wait } : identified;
  }

  #judge(identified: Identified, caller: Caller, request: AccessRequest): AccessDecision {
    if (identified.kind === "wait") return { allowed: false, retryAfter: identified.retryAfter };
    const { challenge } = this.settings;
    const wanted = wantedScope(request);
    if (identified.kind === "refused") {
      const named = identified.name === undefined ? {} : { identity: { name: identified.name } };
      return { allowed: false, challenge: challenge(caller, wanted, "invalid_token"), ...named };
    }
    const { person, token } = identified;
    const identity = { name: person.name };
    const verdict = this.#verdict(identified, request);
    if (verdict !== null) return { allowed: true, identity, ...verdict };
    if (this.settings.identifiers.length === 0) return { allowed: false, identity };
    // Another token may hold more; another password will not.
    const error = token === undefined ? undefined : "insufficient_scope";
    if (person.name === null || token !== undefined)
      return { allowed: false, identity, challenge: challenge(caller, wanted, error) };
    return { allowed: false, identity };
  }

  // Null: no.
  #verdict(known: Identified & { kind: "person" }, { action, repository }: AccessRequest): { tags?: TagRights } | null {
    const { rules, identifiers } = this.settings;
    const { person, token } = known;
    const isKnown = person.name !== null || token !== undefined || identifiers.length === 0;
    // The ping is refused even when pulls are open: it is where clients learn that there is something to log in to.
    if (action === "any") return isKnown ? {} : null;
    if (action === "catalog" && repository === "") {
      const listed =
        token === undefined || token.access.some((scope) => scope.type === "registry" && scope.name === "catalog");
      return listed && (person.name !== null || rules.anonymousMay("catalog")) ? {} : null;
    }
    if (action === "push" && this.settings.isProxied(repository)) return null;
    const rights = rightsBy(known, rules, repository);
    if (!NEEDS[action].some((right) => rights.has(right))) return null;
    if (action !== "push" && action !== "delete") return {};
    const tags = tagRights(rights, rules.immutableTags(repository));
    return tags === undefined ? {} : { tags };
  }
}

const NEEDS: Readonly<Record<Exclude<AccessRequest["action"], "any">, readonly Right[]>> = {
  pull: ["read"],
  push: ["create", "update"],
  delete: ["delete"],
  catalog: ["catalog"],
};

function rightsBy(
  { person, token }: Identified & { kind: "person" },
  rules: RightsRules,
  repository: string,
): ReadonlySet<Right> {
  if (token === undefined) return rules.rightsOf(person, repository);
  const held = new Set(
    token.access
      .filter(({ type, name }) => type === "repository" && name === repository)
      .flatMap(({ actions }) => actions.flatMap(rightsOfAction)),
  );
  // What the catalogue shows is no matter of one repository's token.
  if (token.access.some(({ type, name }) => type === "registry" && name === "catalog")) held.add("catalog");
  return token.decides ? held : held.intersection(rules.rightsOf(person, repository));
}

function rightsOfAction(action: string): readonly Right[] {
  if (action === "pull") return ["read"];
  if (action === "push") return ["create", "update"];
  if (action === "delete") return ["delete"];
  return action === "*" ? RIGHTS : [];
}

function tagRights(
  rights: ReadonlySet<Right>,
  isImmutable: ((tag: string) => boolean) | undefined,
): TagRights | undefined {
  const mayCreate = rights.has("create");
  const mayUpdate = rights.has("update");
  if (mayCreate && mayUpdate && isImmutable === undefined) return undefined;
  return {
    mayPoint: (tag, exists) => (exists ? mayUpdate && isImmutable?.(tag) !== true : mayCreate),
    mayRemove: (tag) => isImmutable?.(tag) !== true,
  };
}

function wantedScope({ action, repository }: AccessRequest): TokenScope | null {
  switch (action) {
    case "any":
      return null;
    case "catalog":
      return { type: "registry", name: "catalog", actions: ["*"] };
    case "push":
      return { type: "repository", name: repository, actions: ["pull", "push"] };
    case "pull":
    case "delete":
      return { type: "repository", name: repository, actions: [action] };
  }
}
