// Which tags stand for a piece of content, so that deleting it by digest is no way around a tag that may not be removed
// (zot #4266): the manifest's own tags, and those of every manifest that refers to it or to one that does.

import type { TagRights } from "@teu/distribution/server/access";
import type { TagProtected } from "@teu/distribution/server/metadata-storage";
import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { findRepository } from "./repository-rows.ts";

/** A protected tag that needs the manifest or blob; undefined when there is none. Within the transaction that would remove it. */
export function protectedBy(
  db: Database,
  repository: string,
  digest: Digest,
  rights: TagRights | undefined,
): TagProtected | undefined {
  const id = rights === undefined ? null : findRepository(db, repository);
  if (rights === undefined || id === null) return undefined;
  const rows = db.all(
    `WITH RECURSIVE holder (digest) AS (
       SELECT ? UNION
       SELECT manifest FROM holder JOIN reference ON repository_id = ? AND target = holder.digest)
     SELECT name FROM holder JOIN tag ON repository_id = ? AND tag.digest = holder.digest`,
    digest,
    id,
    id,
  );
  const tag = rows.map((row) => row["name"] as string).find((name) => !rights.mayRemove(name));
  return tag === undefined ? undefined : { protectedTag: tag };
}
