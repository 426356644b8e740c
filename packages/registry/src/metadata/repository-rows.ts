// Rows of the table repository.

import type { Page } from "@teu/distribution/server/metadata-storage";

import type { Database } from "./database.ts";

/** The id of a repository; null when there is none of that name. */
export function findRepository(db: Database, name: string): number | null {
  return (db.get("SELECT id FROM repository WHERE name = ?", name)?.["id"] as number | undefined) ?? null;
}

/** The id of a repository, which is made when needed. Within a transaction. */
export function ensureRepository(db: Database, name: string, now: number): number {
  const found = findRepository(db, name);
  if (found !== null) return found;
  return db.get("INSERT INTO repository (name, created_at) VALUES (?, ?) RETURNING id", name, now)?.["id"] as number;
}

/** Names with at least one manifest. */
export function listRepositories(db: Database, page: Page): string[] {
  return db.texts(
    `SELECT name FROM repository WHERE name > ?
       AND EXISTS (SELECT 1 FROM repository_manifest WHERE repository_id = repository.id AND deleted_at IS NULL) ORDER BY name LIMIT ?`,
    page.after ?? "",
    page.limit,
  );
}
