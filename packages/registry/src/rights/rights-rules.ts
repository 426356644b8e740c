// Who may do what with which repository, and which tags are there to stay: the rules as written, and what they mean for one
// person and one repository. Pure; deciding on requests is access/guarded-access.ts.

import { type Glob, mostSpecific, parseGlob } from "./glob.ts";

/** "create" is pushing what is not there yet, "update" moving tags, "catalog" being shown the name. */
export type Right = "read" | "create" | "update" | "delete" | "catalog";

/** All of them. */
export const RIGHTS: readonly Right[] = ["read", "create", "update", "delete", "catalog"];

/** One rule. Of the rules that match a repository, the one with the longest pattern counts, alone. */
export interface RightsRule {
  readonly repositories: readonly string[];
  /** Everybody, without logging in. */
  readonly anonymous?: readonly (Right | "all")[];
  /** Everybody who has logged in. */
  readonly authenticated?: readonly (Right | "all")[];
  readonly users?: Readonly<Record<string, readonly (Right | "all")[]>>;
  readonly groups?: Readonly<Record<string, readonly (Right | "all")[]>>;
}

/** Tags that nobody moves or removes once they are there. */
export interface ImmutableRule {
  readonly repositories: readonly string[];
  readonly tags: readonly string[];
}

/** All rules. */
export interface RightsConfig {
  readonly rules: readonly RightsRule[];
  /** Users by group. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  readonly immutable?: readonly ImmutableRule[];
}

/** Somebody, as far as rights depend on it. */
export interface Person {
  /** Null: not logged in. */
  readonly name: string | null;
  /** Groups that somebody else vouches for, beside those of the rules. */
  readonly groups?: readonly string[];
}

interface CompiledRule {
  readonly globs: readonly Glob[];
  readonly anonymous: ReadonlySet<Right>;
  readonly authenticated: ReadonlySet<Right>;
  readonly users: ReadonlyMap<string, ReadonlySet<Right>>;
  readonly groups: ReadonlyMap<string, ReadonlySet<Right>>;
}

interface CompiledImmutable {
  readonly globs: readonly Glob[];
  readonly tags: readonly Glob[];
}

const NOTHING: ReadonlySet<Right> = new Set();
/** Repositories whose rule is remembered. */
const MOST_REMEMBERED = 10_000;

/** Rules ready to be asked. */
export class RightsRules {
  readonly #rules: readonly CompiledRule[];
  readonly #immutable: readonly CompiledImmutable[];
  readonly #groupsOf: ReadonlyMap<string, readonly string[]>;
  readonly #ruleOf: Map<string, CompiledRule | undefined> = new Map();

  constructor({ rules, groups = {}, immutable = [] }: RightsConfig) {
    this.#rules = rules.map(compile);
    this.#immutable = immutable.map(({ repositories, tags }) => ({
      globs: repositories.map(parseGlob),
      tags: tags.map(parseGlob),
    }));
    const groupsOf = new Map<string, string[]>();
    for (const [group, users] of Object.entries(groups))
      for (const user of users) groupsOf.set(user, [...(groupsOf.get(user) ?? []), group]);
    this.#groupsOf = groupsOf;
  }

  /** What somebody may do with a repository. */
  rightsOf({ name, groups = [] }: Person, repository: string): ReadonlySet<Right> {
    const rule = this.#rule(repository);
    if (rule === undefined) return NOTHING;
    if (name === null) return rule.anonymous;
    const all = [...(this.#groupsOf.get(name) ?? []), ...groups].map((group) => rule.groups.get(group) ?? NOTHING);
    const user = rule.users.get(name) ?? NOTHING;
    return [rule.authenticated, user, ...all].reduce((sum, more) => sum.union(more), rule.anonymous);
  }

  /** Whether somebody who has not logged in may do anything of this kind anywhere. */
  anonymousMay(right: Right): boolean {
    return this.#rules.some(({ anonymous }) => anonymous.has(right));
  }

  /** Whether a tag is there to stay; undefined for a repository that has no such tags. */
  immutableTags(repository: string): ((tag: string) => boolean) | undefined {
    const tags = this.#immutable
      .filter(({ globs }) => globs.some((glob) => glob.matches(repository)))
      .flatMap((rule) => rule.tags);
    return tags.length === 0 ? undefined : (tag) => tags.some((glob) => glob.matches(tag));
  }

  #rule(repository: string): CompiledRule | undefined {
    if (this.#ruleOf.has(repository)) return this.#ruleOf.get(repository);
    const rule = mostSpecific(this.#rules, repository);
    // Names come from strangers, too.
    if (this.#ruleOf.size >= MOST_REMEMBERED) this.#ruleOf.clear();
    this.#ruleOf.set(repository, rule);
    return rule;
  }
}

function compile(rule: RightsRule): CompiledRule {
  return {
    globs: rule.repositories.map(parseGlob),
    anonymous: rightsSet(rule.anonymous ?? []),
    authenticated: rightsSet(rule.authenticated ?? []),
    users: new Map(Object.entries(rule.users ?? {}).map(([name, rights]) => [name, rightsSet(rights)])),
    groups: new Map(Object.entries(rule.groups ?? {}).map(([name, rights]) => [name, rightsSet(rights)])),
  };
}

function rightsSet(rights: readonly (Right | "all")[]): ReadonlySet<Right> {
  return new Set(rights.flatMap((right) => (right === "all" ? RIGHTS : [right])));
}
