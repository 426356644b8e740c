// Rows of blob and repository_blob: which repository has which blob, leases, and blobs that none has.

import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { ensureRepository, findRepository } from "./repository-rows.ts";
import { LEASE_STEP } from "./schema.ts";

/** A blob of a repository, its lease renewed when it is due. */
export function findBlob(db: Database, repository: string, digest: Digest, now: number): BlobInfo | null {
  const row = db.get(
    `SELECT repository_id, size, used_at FROM repository_blob JOIN blob USING (digest) JOIN repository ON repository.id = repository_id
     WHERE repository.name = ? AND digest = ?`,
    repository,
    digest,
  );
  if (row === undefined) return null;
  if (now - (row["used_at"] as number) > LEASE_STEP) {
    db.run(
      "UPDATE repository_blob SET used_at = ? WHERE repository_id = ? AND digest = ?",
      now,
      row["repository_id"] ?? null,
      digest,
    );
  }
  return { digest, size: row["size"] as number };
}

/** Records that a repository has a blob. Within a transaction. */
export function linkBlob(db: Database, repository: string, { digest, size }: BlobInfo, now: number): void {
  const id = ensureRepository(db, repository, now);
  db.run(
    `INSERT INTO blob (digest, size, created_at) VALUES (?, ?, ?)
     ON CONFLICT (digest) DO UPDATE SET orphaned_at = NULL`,
    digest,
    size,
    now,
  );
  db.run(
    `INSERT INTO repository_blob (repository_id, digest, linked_at, used_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (repository_id, digest) DO UPDATE SET used_at = excluded.used_at`,
    id,
    digest,
    now,
    now,
  );
}

/** Takes a blob out of one repository. Within a transaction. */
export function unlinkBlob(db: Database, repository: string, digest: Digest, now: number): boolean {
  const id = findRepository(db, repository);
  return id !== null && dropLink(db, id, digest, now);
}

function dropLink(db: Database, repositoryId: number, digest: string, now: number): boolean {
  if (db.run("DELETE FROM repository_blob WHERE repository_id = ? AND digest = ?", repositoryId, digest) === 0)
    return false;
  db.run(
    "UPDATE blob SET orphaned_at = ? WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM repository_blob WHERE digest = blob.digest)",
    now,
    digest,
  );
  return true;
}

/** Some repositories with a blob. */
export function repositoriesWithBlob(db: Database, digest: Digest, limit: number): string[] {
  const rows = db.all(
    "SELECT name FROM repository_blob JOIN repository ON repository.id = repository_id WHERE digest = ? LIMIT ?",
    digest,
    limit,
  );
  return rows.map((row) => row["name"] as string);
}

/** Unlinks what no manifest refers to and nobody used since `before`. Within a transaction. */
export function releaseUnusedBlobs(db: Database, before: number, limit: number, now: number): number {
  const rows = db.all(
    `SELECT repository_id, digest FROM repository_blob AS link WHERE used_at < ?
       AND NOT EXISTS (SELECT 1 FROM reference WHERE repository_id = link.repository_id AND target = link.digest) LIMIT ?`,
    before,
    limit,
  );
  for (const row of rows) dropLink(db, row["repository_id"] as number, row["digest"] as string, now);
  return rows.length;
}

/** Blobs that no repository has had since `before`. */
export function orphanBlobs(db: Database, before: number, limit: number): BlobInfo[] {
  const rows = db.all("SELECT digest, size FROM blob WHERE orphaned_at < ? LIMIT ?", before, limit);
  return rows.map((row) => ({ digest: row["digest"] as Digest, size: row["size"] as number }));
}

/** Forgets a blob if it is still an orphan. */
export function forgetBlob(db: Database, digest: Digest): boolean {
  return db.run("DELETE FROM blob WHERE digest = ? AND orphaned_at IS NOT NULL", digest) > 0;
}

/** Whether a blob is known at all. */
export function knowsBlob(db: Database, digest: Digest): boolean {
  return db.get("SELECT 1 FROM blob WHERE digest = ?", digest) !== undefined;
}
