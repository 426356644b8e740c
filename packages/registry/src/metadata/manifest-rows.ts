// Rows of manifest, repository_manifest and reference: finding, pushing and deleting manifests, and who refers to whom.

import type { TagRights } from "@teu/distribution/server/access";
import type { Digest } from "@teu/image/digest";
import type {
  ManifestName,
  ManifestPush,
  ManifestReference,
  NewManifest,
  Page,
  PushOutcome,
  Referrer,
  StoredManifest,
} from "@teu/distribution/server/metadata-storage";

import type { Database, Row } from "./database.ts";
import { ensureRepository, findRepository } from "./repository-rows.ts";
import { findTag, removeTag, setTag, tagsOfManifest } from "./tag-rows.ts";

/** A manifest by tag or digest. */
export function findManifest(db: Database, repository: string, name: ManifestName): StoredManifest | null {
  const row =
    "tag" in name
      ? db.get(
          `SELECT m.digest, rm.media_type, m.content FROM repository r JOIN tag t ON t.repository_id = r.id
           JOIN repository_manifest rm ON rm.repository_id = r.id AND rm.digest = t.digest JOIN manifest m ON m.digest = t.digest
         WHERE r.name = ? AND t.name = ?`,
          repository,
          name.tag,
        )
      : db.get(
          `SELECT m.digest, rm.media_type, m.content FROM repository r
           JOIN repository_manifest rm ON rm.repository_id = r.id JOIN manifest m ON m.digest = rm.digest
         WHERE r.name = ? AND rm.digest = ? AND rm.deleted_at IS NULL`,
          repository,
          name.digest,
        );
  if (row === undefined) return null;
  return {
    digest: row["digest"] as Digest,
    mediaType: row["media_type"] as string,
    bytes: row["content"] as Uint8Array,
  };
}

/** Stores a manifest and its tags. Within a transaction; nothing is written unless the outcome is "stored". */
export function putManifest(db: Database, repository: string, push: ManifestPush, now: number): PushOutcome {
  const { manifest, tags, condition } = push;
  const known = findRepository(db, repository);
  const [firstTag] = tags;
  const current = known === null || firstTag === undefined ? null : findTag(db, known, firstTag);
  if (condition !== undefined && !holds(condition, current)) return { kind: "condition-failed", current };
  const refused = push.rights === undefined ? undefined : refusedTag(db, known, push, push.rights);
  if (refused !== undefined) return { kind: "tag-protected", tag: refused };
  const fault = referenceFault(db, known, manifest.references);
  if (fault !== null) return fault;
  const id = known ?? ensureRepository(db, repository, now);
  const created = storeManifest(db, id, manifest, now);
  for (const tag of tags) setTag(db, id, tag, manifest.digest, now);
  return { kind: "stored", created };
}

// A tag that points there already is not touched.
function refusedTag(db: Database, known: number | null, push: ManifestPush, rights: TagRights): string | undefined {
  return push.tags.find((tag) => {
    const digest = known === null ? null : findTag(db, known, tag);
    return digest !== push.manifest.digest && !rights.mayPoint(tag, digest !== null);
  });
}

function holds(condition: NonNullable<ManifestPush["condition"]>, current: Digest | null): boolean {
  if (condition === "any") return current !== null;
  return condition === "none" ? current === null : current === condition;
}

function referenceFault(
  db: Database,
  repositoryId: number | null,
  references: readonly ManifestReference[],
): PushOutcome | null {
  const missing: Digest[] = [];
  for (const { kind, digest, size, required } of references) {
    const actual = repositoryId === null ? null : sizeOf(db, repositoryId, kind, digest);
    if (actual === null && required) missing.push(digest);
    if (actual !== null && actual !== size) return { kind: "wrong-size", digest, declared: size, actual };
  }
  return missing.length === 0 ? null : { kind: "missing", digests: [...new Set(missing)] };
}

function sizeOf(db: Database, repositoryId: number, kind: ManifestReference["kind"], digest: Digest): number | null {
  const row =
    kind === "manifest"
      ? db.get(
          "SELECT size FROM repository_manifest WHERE repository_id = ? AND digest = ? AND deleted_at IS NULL",
          repositoryId,
          digest,
        )
      : db.get(
          "SELECT size FROM repository_blob JOIN blob USING (digest) WHERE repository_id = ? AND digest = ?",
          repositoryId,
          digest,
        );
  return (row?.["size"] as number | undefined) ?? null;
}

function storeManifest(db: Database, repositoryId: number, manifest: NewManifest, now: number): boolean {
  const { digest, mediaType, bytes, artifactType, subject, annotations, references } = manifest;
  db.run("INSERT INTO manifest (digest, content) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", digest, bytes);
  const existing = db.get(
    "SELECT deleted_at FROM repository_manifest WHERE repository_id = ? AND digest = ?",
    repositoryId,
    digest,
  );
  if (existing !== undefined) {
    db.run(
      "UPDATE repository_manifest SET media_type = ?, pushed_at = ?, deleted_at = NULL WHERE repository_id = ? AND digest = ?",
      mediaType,
      now,
      repositoryId,
      digest,
    );
    return existing["deleted_at"] !== null;
  }
  db.run(
    `INSERT INTO repository_manifest (repository_id, digest, media_type, size, artifact_type, subject, annotations, pushed_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    repositoryId,
    digest,
    mediaType,
    bytes.length,
    artifactType ?? null,
    subject ?? null,
    annotations === undefined ? null : JSON.stringify(annotations),
    now,
  );
  for (const { kind, digest: target } of references) {
    db.run(
      "INSERT INTO reference (repository_id, manifest, target, kind) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      repositoryId,
      digest,
      target,
      kind,
    );
  }
  return true;
}

/** Marks a manifest as deleted and removes the tags that point at it; their names, or null when it was absent. Within a transaction. */
export function deleteManifest(db: Database, repository: string, digest: Digest, now: number): string[] | null {
  const id = findRepository(db, repository);
  if (id === null || sizeOf(db, id, "manifest", digest) === null) return null;
  const tags = tagsOfManifest(db, id, digest);
  for (const tag of tags) removeTag(db, id, tag, now);
  db.run("UPDATE repository_manifest SET deleted_at = ? WHERE repository_id = ? AND digest = ?", now, id, digest);
  return tags;
}

/** Manifests with a subject. */
export function listReferrers(
  db: Database,
  repository: string,
  subject: Digest,
  page: Page & { readonly artifactType?: string },
): Referrer[] {
  const id = findRepository(db, repository);
  if (id === null) return [];
  const type = page.artifactType ?? null;
  const rows = db.all(
    `SELECT digest, media_type, size, artifact_type, annotations FROM repository_manifest
     WHERE repository_id = ? AND subject = ? AND deleted_at IS NULL AND digest > ? AND (? IS NULL OR artifact_type = ?) ORDER BY digest LIMIT ?`,
    id,
    subject,
    page.after ?? "",
    type,
    type,
    page.limit,
  );
  return rows.map(referrerOf);
}

function referrerOf(row: Row): Referrer {
  const { artifact_type: artifactType, annotations } = row;
  return {
    mediaType: row["media_type"] as string,
    digest: row["digest"] as Digest,
    size: row["size"] as number,
    ...(artifactType === null ? {} : { artifactType: artifactType as string }),
    ...(annotations === null ? {} : { annotations: JSON.parse(annotations as string) as Record<string, string> }),
  };
}
