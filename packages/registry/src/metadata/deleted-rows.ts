// Rows of repository_manifest that are marked as deleted: marking what nothing needs, bringing back, and removing for good.

import type {
  DeletedManifest,
  DeletedTag,
  Step,
  StepResult,
  Undeletion,
} from "@teu/distribution/server/metadata-storage";
import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { findRepository } from "./repository-rows.ts";
import { findTag, setTag } from "./tag-rows.ts";

/** Manifests of a repository that are marked, latest first. */
export function listDeleted(db: Database, repository: string, limit: number): DeletedManifest[] {
  const id = findRepository(db, repository);
  const rows = db.all(
    `SELECT digest, media_type, size, deleted_at FROM repository_manifest
     WHERE repository_id = ? AND deleted_at IS NOT NULL ORDER BY deleted_at DESC, digest LIMIT ?`,
    id,
    limit,
  );
  return rows.map((row) => ({
    digest: row["digest"] as Digest,
    mediaType: row["media_type"] as string,
    size: row["size"] as number,
    deletedAt: row["deleted_at"] as number,
  }));
}

/** Tags of a repository whose last change is their removal, and whose manifest is still there; latest first. */
export function listDeletedTags(db: Database, repository: string, limit: number): DeletedTag[] {
  const id = findRepository(db, repository);
  const rows = db.all(
    `SELECT name, at, gone.digest AS digest FROM
       (SELECT id, name, at, (SELECT digest FROM tag_change WHERE repository_id = last.repository_id AND name = last.name
          AND id < last.id AND digest IS NOT NULL ORDER BY id DESC LIMIT 1) AS digest
        FROM tag_change AS last WHERE repository_id = ? AND last.digest IS NULL
          AND NOT EXISTS (SELECT 1 FROM tag_change WHERE repository_id = last.repository_id AND name = last.name AND id > last.id)) AS gone
     WHERE EXISTS (SELECT 1 FROM repository_manifest WHERE repository_id = ? AND digest = gone.digest)
     ORDER BY id DESC LIMIT ?`,
    id,
    id,
    limit,
  );
  return rows.map((row) => ({
    tag: row["name"] as string,
    digest: row["digest"] as Digest,
    deletedAt: row["at"] as number,
  }));
}

/** Takes a mark away, with the marks of what the manifest refers to; tags that went with it come back. Within a transaction. */
export function undeleteManifest(db: Database, repository: string, digest: Digest, now: number): Undeletion {
  const id = findRepository(db, repository);
  const deletedAt = id === null ? undefined : markOf(db, id, digest);
  if (id === null || deletedAt === undefined) return { kind: "unknown" };
  if (deletedAt === null) return { kind: "unchanged" };
  const tags = lostTags(db, id, digest, deletedAt);
  const manifests = unmark(db, id, digest);
  for (const tag of tags) setTag(db, id, tag, digest, now);
  return { kind: "restored", manifests, tags };
}

/** Points a tag at a manifest, whose mark goes. Within a transaction. */
export function restoreTag(db: Database, repository: string, tag: string, digest: Digest, now: number): Undeletion {
  const id = findRepository(db, repository);
  if (id === null || markOf(db, id, digest) === undefined) return { kind: "unknown" };
  if (findTag(db, id, tag) === digest) return { kind: "unchanged" };
  const manifests = unmark(db, id, digest);
  setTag(db, id, tag, digest, now);
  return { kind: "restored", manifests, tags: [tag] };
}

/** When it was marked; null: it is not, undefined: there is no such manifest. */
function markOf(db: Database, repositoryId: number, digest: Digest): number | null | undefined {
  const row = db.get(
    "SELECT deleted_at FROM repository_manifest WHERE repository_id = ? AND digest = ?",
    repositoryId,
    digest,
  );
  return row?.["deleted_at"] as number | null | undefined;
}

// Tags whose last change is that they went with this manifest.
function lostTags(db: Database, repositoryId: number, digest: Digest, deletedAt: number): string[] {
  const rows = db.all(
    `SELECT last.name AS name FROM tag_change AS last WHERE last.repository_id = ? AND last.at = ? AND last.digest IS NULL
       AND NOT EXISTS (SELECT 1 FROM tag_change WHERE repository_id = last.repository_id AND name = last.name AND id > last.id)
       AND ? = (SELECT digest FROM tag_change WHERE repository_id = last.repository_id AND name = last.name AND id < last.id
                ORDER BY id DESC LIMIT 1)
     ORDER BY last.name`,
    repositoryId,
    deletedAt,
    digest,
  );
  return rows.map((row) => row["name"] as string);
}

function unmark(db: Database, repositoryId: number, digest: Digest): Digest[] {
  const restored: Digest[] = [];
  const waiting = [digest];
  const seen = new Set<Digest>(waiting);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const cleared = db.run(
      "UPDATE repository_manifest SET deleted_at = NULL WHERE repository_id = ? AND digest = ? AND deleted_at IS NOT NULL",
      repositoryId,
      next,
    );
    if (cleared > 0) restored.push(next);
    const children = db.all(
      "SELECT target FROM reference WHERE repository_id = ? AND manifest = ? AND kind = 'manifest'",
      repositoryId,
      next,
    );
    for (const row of children) {
      const child = row["target"] as Digest;
      if (!seen.has(child)) waiting.push(child);
      seen.add(child);
    }
  }
  return restored;
}

// Indexes and subjects count while they exist at all: what is marked as deleted may be brought back whole.
const NEEDLESS = `deleted_at IS NULL AND pushed_at < ?
  AND NOT EXISTS (SELECT 1 FROM tag WHERE repository_id = m.repository_id AND digest = m.digest)
  AND NOT EXISTS (SELECT 1 FROM reference WHERE repository_id = m.repository_id AND target = m.digest AND kind = 'manifest')
  AND (subject IS NULL OR NOT EXISTS
    (SELECT 1 FROM repository_manifest WHERE repository_id = m.repository_id AND digest = m.subject))`;

/** Marks what nothing needs, in the order of repositories and digests. Within a transaction. */
export function markUntagged(db: Database, before: number, { after, limit }: Step, now: number): StepResult {
  const [repositoryId, digest] = after === undefined ? [0, ""] : (JSON.parse(after) as [number, string]);
  const rows = db.all(
    `SELECT repository_id, digest, ${NEEDLESS} AS needless FROM repository_manifest AS m
     WHERE (repository_id, digest) > (?, ?) ORDER BY repository_id, digest LIMIT ?`,
    before,
    repositoryId,
    digest,
    limit,
  );
  const needless = rows.filter((row) => row["needless"] === 1);
  for (const row of needless) {
    db.run(
      "UPDATE repository_manifest SET deleted_at = ? WHERE repository_id = ? AND digest = ?",
      now,
      row["repository_id"] as number,
      row["digest"] as string,
    );
  }
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    count: needless.length,
    next: last === undefined ? null : JSON.stringify([last["repository_id"], last["digest"]]),
  };
}

/** Removes manifests marked before `before`; what refers to them as their subject and has no tag follows. Within a transaction. */
export function purgeDeleted(db: Database, before: number, limit: number): number {
  const rows = db.all(
    "SELECT repository_id, digest, deleted_at FROM repository_manifest WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?",
    before,
    limit,
  );
  for (const row of rows) {
    const [repositoryId, digest] = [row["repository_id"] as number, row["digest"] as string];
    db.run(
      `UPDATE repository_manifest SET deleted_at = ? WHERE repository_id = ? AND subject = ? AND deleted_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM tag WHERE repository_id = repository_manifest.repository_id AND digest = repository_manifest.digest)`,
      row["deleted_at"] as number,
      repositoryId,
      digest,
    );
    db.run("DELETE FROM repository_manifest WHERE repository_id = ? AND digest = ?", repositoryId, digest);
    db.run(
      "DELETE FROM manifest WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM repository_manifest WHERE digest = manifest.digest)",
      digest,
    );
  }
  return rows.length;
}
