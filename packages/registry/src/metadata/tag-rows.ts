// Rows of tag and tag_change: where tags point, and every change of that.

import type { Page, Step, StepResult, TagChange, TagUse } from "@teu/distribution/server/metadata-storage";
import { digestOfTag } from "@teu/distribution/digest-tag";
import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { findRepository } from "./repository-rows.ts";

/** What a tag points at. */
export function findTag(db: Database, repositoryId: number, name: string): Digest | null {
  return (
    (db.get("SELECT digest FROM tag WHERE repository_id = ? AND name = ?", repositoryId, name)?.["digest"] as
      | Digest
      | undefined) ?? null
  );
}

/** Points a tag at a manifest; pointing it where it points already makes it young, and is no change. Within a transaction. */
export function setTag(db: Database, repositoryId: number, name: string, digest: Digest, now: number): void {
  const before = findTag(db, repositoryId, name);
  db.run(
    `INSERT INTO tag (repository_id, name, digest, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at`,
    repositoryId,
    name,
    digest,
    now,
  );
  if (before !== digest) recordChange(db, repositoryId, name, digest, now);
}

/** Removes a tag. Within a transaction. */
export function removeTag(db: Database, repositoryId: number, name: string, now: number): Digest | null {
  const digest = findTag(db, repositoryId, name);
  if (digest === null) return null;
  db.run("DELETE FROM tag WHERE repository_id = ? AND name = ?", repositoryId, name);
  recordChange(db, repositoryId, name, null, now);
  return digest;
}

/** Names of the tags that point at a manifest. */
export function tagsOfManifest(db: Database, repositoryId: number, digest: Digest): string[] {
  return db.texts("SELECT name FROM tag WHERE repository_id = ? AND digest = ?", repositoryId, digest);
}

/** Tags in byte order; null for an unknown repository. */
export function listTags(db: Database, repository: string, page: Page): string[] | null {
  const id = findRepository(db, repository);
  if (id === null) return null;
  return db.texts(
    "SELECT name FROM tag WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
    id,
    page.after ?? "",
    page.limit,
  );
}

/** Removes the tags that `choose` names out of all. Within a transaction. */
export function removeTags(
  db: Database,
  repository: string,
  choose: (tags: readonly TagUse[]) => readonly string[],
  now: number,
): string[] {
  const id = findRepository(db, repository);
  if (id === null) return [];
  const rows = db.all(
    `SELECT name, digest, updated_at, pulled_at FROM tag
       JOIN repository_manifest USING (repository_id, digest) WHERE repository_id = ? ORDER BY name`,
    id,
  );
  const tags = rows.map((row) => {
    const subject = digestOfTag(row["name"] as string);
    return {
      tag: row["name"] as string,
      digest: row["digest"] as Digest,
      pushedAt: row["updated_at"] as number,
      pulledAt: row["pulled_at"] as number | null,
      ...(subject === null ? {} : { hasSubject: hasManifest(db, id, subject) }),
    };
  });
  return choose(tags).filter((tag) => removeTag(db, id, tag, now) !== null);
}

function hasManifest(db: Database, repositoryId: number, digest: Digest): boolean {
  const sql = "SELECT 1 AS found FROM repository_manifest WHERE repository_id = ? AND digest = ?";
  return db.get(sql, repositoryId, digest) !== undefined;
}

/** Changes of one tag, newest first. */
export function tagHistory(db: Database, repository: string, name: string, limit: number): TagChange[] {
  const id = findRepository(db, repository);
  if (id === null) return [];
  const rows = db.all(
    "SELECT digest, at FROM tag_change WHERE repository_id = ? AND name = ? ORDER BY id DESC LIMIT ?",
    id,
    name,
    limit,
  );
  return rows.map((row) => ({ digest: row["digest"] as Digest | null, at: row["at"] as number }));
}

/** Forgets what is neither young nor among the latest. Within a transaction. */
export function trimHistory(db: Database, keep: number, before: number, { after, limit }: Step): StepResult {
  const rows = db.all(
    `SELECT id, at < ? AND EXISTS (SELECT 1 FROM tag_change WHERE repository_id = one.repository_id AND name = one.name
       AND id > one.id ORDER BY id LIMIT 1 OFFSET ?) AS old
     FROM tag_change AS one WHERE id > ? ORDER BY id LIMIT ?`,
    before,
    Math.max(1, keep) - 1,
    Number(after ?? 0),
    limit,
  );
  const old = rows.filter((row) => row["old"] === 1);
  for (const row of old) db.run("DELETE FROM tag_change WHERE id = ?", row["id"] as number);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { count: old.length, next: last === undefined ? null : String(last["id"]) };
}

function recordChange(db: Database, repositoryId: number, name: string, digest: Digest | null, now: number): void {
  db.run(
    "INSERT INTO tag_change (repository_id, name, digest, at) VALUES (?, ?, ?, ?)",
    repositoryId,
    name,
    digest,
    now,
  );
}
