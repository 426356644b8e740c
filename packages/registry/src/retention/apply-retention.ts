// Removes the tags that the rules do not keep, one repository in one transaction: a tag that is pushed meanwhile is judged anew or
// not at all. What goes can be brought back as any deleted tag can.

import type { Scope } from "@teu/base/scope";
import type { MetadataStorage, TagUse } from "@teu/distribution/server/metadata-storage";

import { type ImmutableRule, RightsRules } from "../rights/rights-rules.ts";
import { expiredTags, type RetentionRule } from "./retention-rules.ts";

/** How to go by the rules. */
export interface RetentionOptions {
  readonly rules: readonly RetentionRule[];
  /** Tags that stay whatever the rules say. */
  readonly immutable?: readonly ImmutableRule[] | undefined;
  /** Only say what would go. */
  readonly dryRun?: boolean;
  /** What time it is, when that is not for the scope to say. */
  readonly now?: number;
}

/** A tag that went, or would go. */
export interface ExpiredTag extends TagUse {
  readonly repository: string;
}

const PAGE = 200;

/** Goes by the rules once. */
export async function applyRetention(
  scope: Scope,
  metadata: MetadataStorage,
  options: RetentionOptions,
): Promise<readonly ExpiredTag[]> {
  const { rules, immutable = [], dryRun = false, now = scope.now() } = options;
  if (rules.length === 0) return [];
  const rights = new RightsRules({ rules: [], immutable });
  await metadata.flushPulls(scope);
  const gone: ExpiredTag[] = [];
  for (let after = ""; ;) {
    const repositories = await metadata.listRepositories(scope, { after, limit: PAGE });
    for (const repository of repositories) {
      let expired: readonly TagUse[] = [];
      await metadata.removeTags(scope, repository, (tags) => {
        expired = expiredTags(rules, repository, tags, now, rights.immutableTags(repository));
        return dryRun ? [] : expired.map(({ tag }) => tag);
      });
      gone.push(...expired.map((tag) => ({ repository, ...tag })));
    }
    if (repositories.length < PAGE) return gone;
    after = repositories.at(-1) ?? "";
  }
}
