// Rows of blob, repository_blob and upload_claim: which repository has which blob, leases, and blobs that none has.

import type { ClaimedLink, Step, StepResult } from "@teu/distribution/server/metadata-storage";
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
  // A time in the future is one of a clock that was set back.
  if (Math.abs(now - (row["used_at"] as number)) > LEASE_STEP) {
    const renewed = db.quickNote(() =>
      db.run(
        "UPDATE repository_blob SET used_at = ? WHERE repository_id = ? AND digest = ?",
        now,
        row["repository_id"] ?? null,
        digest,
      ),
    );
    // Cleaning was faster: whoever asks must not be told that it is there. On a full disk the lease stays as it was, and pulls go on.
    if (renewed === 0) return null;
  }
  return { digest, size: row["size"] as number };
}

/** Records what an upload is about to put in place; false when there is no such upload. Within a transaction. */
export function claimBlobs(db: Database, upload: string, digests: readonly Digest[]): boolean {
  if (db.get("SELECT 1 FROM upload WHERE id = ?", upload) === undefined) return false;
  for (const digest of digests)
    db.run("INSERT INTO upload_claim (upload, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", upload, digest);
  return true;
}

/** Links what the upload claimed; false when it has not claimed all of it. Within a transaction. */
export function linkClaimed(db: Database, repository: string, link: ClaimedLink, now: number): boolean {
  const { upload, blobs, end } = link;
  const claimed = (digest: Digest): boolean =>
    db.run("DELETE FROM upload_claim WHERE upload = ? AND digest = ?", upload, digest) > 0;
  if (!blobs.every(({ digest }) => claimed(digest))) return false;
  for (const blob of blobs) linkBlob(db, repository, blob, now);
  if (end) db.run("DELETE FROM upload WHERE id = ?", upload);
  return true;
}

function linkBlob(db: Database, repository: string, { digest, size }: BlobInfo, now: number): void {
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

/** Links a blob that another repository has. Within a transaction. */
export function mountBlob(
  db: Database,
  repository: string,
  digest: Digest,
  from: string,
  now: number,
): BlobInfo | null {
  const blob = findBlob(db, from, digest, now);
  if (blob !== null) linkBlob(db, repository, blob, now);
  return blob;
}

/** Takes a blob out of one repository. Within a transaction. */
export function unlinkBlob(db: Database, repository: string, digest: Digest, now: number): boolean {
  const id = findRepository(db, repository);
  return id !== null && dropLink(db, id, digest, now);
}

function dropLink(db: Database, repositoryId: number, digest: string, since: number): boolean {
  if (db.run("DELETE FROM repository_blob WHERE repository_id = ? AND digest = ?", repositoryId, digest) === 0)
    return false;
  db.run(
    "UPDATE blob SET orphaned_at = ? WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM repository_blob WHERE digest = blob.digest)",
    since,
    digest,
  );
  return true;
}

/** Some repositories with a blob. */
export function repositoriesWithBlob(db: Database, digest: Digest, limit: number): string[] {
  return db.texts(
    "SELECT name FROM repository_blob JOIN repository ON repository.id = repository_id WHERE digest = ? LIMIT ?",
    digest,
    limit,
  );
}

/**
 * Unlinks what no manifest refers to and nobody used since `before`; as an orphan it is as old as its last use.
 * Goes through the links in the order of their use. Within a transaction.
 */
export function releaseUnusedBlobs(db: Database, before: number, { after, limit }: Step): StepResult {
  const [usedAt, repositoryId, digest] =
    after === undefined ? [-1, 0, ""] : (JSON.parse(after) as [number, number, string]);
  const rows = db.all(
    `SELECT used_at, repository_id, digest,
       EXISTS (SELECT 1 FROM reference WHERE repository_id = link.repository_id AND target = link.digest) AS needed
     FROM repository_blob AS link WHERE used_at < ? AND (used_at, repository_id, digest) > (?, ?, ?)
     ORDER BY used_at, repository_id, digest LIMIT ?`,
    before,
    usedAt,
    repositoryId,
    digest,
    limit,
  );
  const unused = rows.filter((row) => row["needed"] === 0);
  for (const row of unused)
    dropLink(db, row["repository_id"] as number, row["digest"] as string, row["used_at"] as number);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    count: unused.length,
    next: last === undefined ? null : JSON.stringify([last["used_at"], last["repository_id"], last["digest"]]),
  };
}

const UNCLAIMED = "NOT EXISTS (SELECT 1 FROM upload_claim WHERE upload_claim.digest = blob.digest)";

/** Forgets blobs that no repository has had since `before`, once `retire` has taken their bytes away. Within a transaction. */
export function forgetOrphans(
  db: Database,
  before: number,
  limit: number,
  retire: (blob: BlobInfo) => void,
): BlobInfo[] {
  const rows = db.all(`SELECT digest, size FROM blob WHERE orphaned_at < ? AND ${UNCLAIMED} LIMIT ?`, before, limit);
  const orphans = rows.map((row) => ({ digest: row["digest"] as Digest, size: row["size"] as number }));
  for (const orphan of orphans) {
    retire(orphan);
    db.run("DELETE FROM blob WHERE digest = ?", orphan.digest);
  }
  return orphans;
}

/** Calls `retire` if nothing is known of a blob. Within a transaction. */
export function forgetStray(db: Database, digest: Digest, retire: () => boolean): boolean {
  const known = db.get(
    "SELECT 1 FROM blob WHERE digest = ? UNION ALL SELECT 1 FROM upload_claim WHERE digest = ?",
    digest,
    digest,
  );
  return known === undefined && retire();
}
