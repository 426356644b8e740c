// Which tags stay: one pure function. Of several rules that match a repository the one with the most literal pattern counts; a
// repository that none matches keeps everything.

import type { TagUse } from "@teu/distribution/server/metadata-storage";

import { mostSpecific, parseGlob } from "../rights/glob.ts";

/**
 * What stays in some repositories: a tag stays when any line says so. Without a line that says what stays, all tags do. A tag that
 * belongs to a manifest by its digest (a signature's) is none of those that are counted: it stays for as long as the manifest.
 */
export interface RetentionRule {
  readonly repositories: readonly string[];
  /** Tags that match one of these stay. */
  readonly keepTags?: readonly string[];
  /** So many of those pushed last stay. */
  readonly keepLatest?: number;
  /** Pushed within this time, milliseconds. */
  readonly pushedWithin?: number;
  /** Fetched within this time, milliseconds. */
  readonly pulledWithin?: number;
}

/** The tags that do not stay, in the order they were given in. `isImmutable`: tags that nobody removes. */
export function expiredTags(
  rules: readonly RetentionRule[],
  repository: string,
  tags: readonly TagUse[],
  now: number,
  isImmutable: (tag: string) => boolean = () => false,
): TagUse[] {
  const rule = mostSpecific(
    rules.map((one) => ({ ...one, globs: one.repositories.map(parseGlob) })),
    repository,
  );
  if (rule === undefined) return [];
  const { keepTags, keepLatest, pushedWithin, pulledWithin } = rule;
  if ([keepTags, keepLatest, pushedWithin, pulledWithin].every((line) => line === undefined)) return [];
  const globs = (keepTags ?? []).map(parseGlob);
  const byAge = tags
    .filter(({ hasSubject }) => hasSubject === undefined)
    .toSorted((a, b) => b.pushedAt - a.pushedAt || (a.tag < b.tag ? -1 : 1));
  const latest = new Set(byAge.slice(0, keepLatest ?? 0).map(({ tag }) => tag));
  const stays = ({ tag, pushedAt, pulledAt, hasSubject = false }: TagUse): boolean =>
    hasSubject ||
    isImmutable(tag) ||
    latest.has(tag) ||
    globs.some((glob) => glob.matches(tag)) ||
    (pushedWithin !== undefined && pushedAt >= now - pushedWithin) ||
    (pulledWithin !== undefined && pulledAt !== null && pulledAt >= now - pulledWithin);
  return tags.filter((tag) => !stays(tag));
}
