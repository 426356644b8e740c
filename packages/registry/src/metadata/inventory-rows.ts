// The whole index in pages: for verification, export and retention.

import type { ListedManifest, ManifestList, Page, Step, TagTarget } from "@teu/distribution/server/metadata-storage";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { Database, Row } from "./database.ts";
import { findRepository } from "./repository-rows.ts";

/** Blobs that are known, by digest. */
export function listBlobs(db: Database, page: Page): BlobInfo[] {
  const rows = db.all(
    "SELECT digest, size FROM blob WHERE digest > ? ORDER BY digest LIMIT ?",
    page.after ?? "",
    page.limit,
  );
  return rows.map((row) => ({ digest: row["digest"] as Digest, size: row["size"] as number }));
}

/** Whether a repository has a blob. */
export function hasBlob(db: Database, repository: string, digest: Digest): boolean {
  const id = findRepository(db, repository);
  return db.get("SELECT 1 FROM repository_blob WHERE repository_id = ? AND digest = ?", id, digest) !== undefined;
}

/** What is known of a blob. */
export function blobState(db: Database, digest: Digest): "linked" | "orphan" | "claimed" | null {
  const row = db.get("SELECT orphaned_at FROM blob WHERE digest = ?", digest);
  if (db.get("SELECT 1 FROM upload_claim WHERE digest = ?", digest) !== undefined && row?.["orphaned_at"] !== null)
    return "claimed";
  if (row === undefined) return null;
  return row["orphaned_at"] === null ? "linked" : "orphan";
}

/** Manifests of all repositories or of one. */
export function listManifests(db: Database, step: Step & { readonly repository?: string }): ManifestList {
  const [repositoryId, digest] = step.after === undefined ? [0, ""] : (JSON.parse(step.after) as [number, string]);
  const only = step.repository === undefined ? null : (findRepository(db, step.repository) ?? -1);
  const rows = db.all(
    `SELECT repository_id, r.name AS repository, rm.digest AS digest, media_type, content, size, subject, pushed_at, pulled_at, deleted_at
     FROM repository_manifest rm JOIN repository r ON r.id = repository_id JOIN manifest m ON m.digest = rm.digest
     WHERE (repository_id, rm.digest) > (?, ?) AND (? IS NULL OR repository_id = ?)
     ORDER BY repository_id, rm.digest LIMIT ?`,
    repositoryId,
    digest,
    only,
    only,
    step.limit,
  );
  const last = rows.length < step.limit ? undefined : rows.at(-1);
  return {
    manifests: rows.map(listedManifest),
    next: last === undefined ? null : JSON.stringify([last["repository_id"], last["digest"]]),
  };
}

function listedManifest(row: Row): ListedManifest {
  return {
    repository: row["repository"] as string,
    digest: row["digest"] as Digest,
    mediaType: row["media_type"] as string,
    bytes: row["content"] as Uint8Array,
    size: row["size"] as number,
    subject: row["subject"] as Digest | null,
    pushedAt: row["pushed_at"] as number,
    pulledAt: row["pulled_at"] as number | null,
    deletedAt: row["deleted_at"] as number | null,
  };
}

/** Tags with their targets. */
export function listTagTargets(db: Database, repository: string, page: Page): TagTarget[] {
  const rows = db.all(
    "SELECT name, digest, updated_at FROM tag WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
    findRepository(db, repository),
    page.after ?? "",
    page.limit,
  );
  return rows.map((row) => ({
    tag: row["name"] as string,
    digest: row["digest"] as Digest,
    updatedAt: row["updated_at"] as number,
  }));
}
