// Rows of upload: sessions in progress.

import { TeuError } from "@teu/base/errors";
import type { UploadSession } from "@teu/distribution/server/metadata-storage";

import type { Database } from "./database.ts";
import { LEASE_STEP } from "./schema.ts";

/** Records a session. Within a transaction. @throws TeuError `exhausted`, with `limit` as detail when there are so many. */
export function createUpload(db: Database, upload: UploadSession, limit: number, now: number): void {
  if ((db.get("SELECT count(*) AS open FROM upload")?.["open"] as number) >= limit) {
    const message = `${limit} uploads are open already`;
    throw new TeuError({ code: "exhausted", op: "begin upload", message, detail: { limit } });
  }
  db.run(
    "INSERT INTO upload (id, repository, algorithm, created_at, used_at) VALUES (?, ?, ?, ?, ?)",
    upload.id,
    upload.repository,
    upload.algorithm ?? null,
    now,
    now,
  );
}

/** A session of this repository, its time of use renewed when it is due. */
export function findUpload(db: Database, repository: string, id: string, now: number): UploadSession | null {
  const row = db.get("SELECT algorithm, used_at FROM upload WHERE id = ? AND repository = ?", id, repository);
  if (row === undefined) return null;
  if (Math.abs(now - (row["used_at"] as number)) > LEASE_STEP)
    db.quickNote(() => db.run("UPDATE upload SET used_at = ? WHERE id = ?", now, id));
  const { algorithm } = row;
  return { id, repository, ...(algorithm === null ? {} : { algorithm: algorithm as string }) };
}

/** Forgets a session. */
export function deleteUpload(db: Database, id: string): boolean {
  return db.run("DELETE FROM upload WHERE id = ?", id) > 0;
}

/** Whether a session is known. */
export function hasUpload(db: Database, id: string): boolean {
  return db.get("SELECT 1 FROM upload WHERE id = ?", id) !== undefined;
}

/** Forgets sessions not used since `before`, their claims with them. Within a transaction. */
export function endIdleUploads(db: Database, before: number, limit: number): string[] {
  const ids = db
    .all("SELECT id FROM upload WHERE used_at < ? ORDER BY used_at LIMIT ?", before, limit)
    .map((row) => row["id"] as string);
  for (const id of ids) deleteUpload(db, id);
  return ids;
}
