// Rows of volumes. Who uses one is told by the containers' settings; the directory is ROOT/volumes/NAME.

import type { Database } from "./database.ts";

/** A row of `volume`. */
export interface VolumeRow {
  readonly name: string;
  /** Made without a name for one container, and removed with it when asked. */
  readonly anonymous: boolean;
}

/** Adds a volume unless it is there. */
export function ensureVolume(db: Database, row: VolumeRow, now: number): void {
  db.run(
    "INSERT OR IGNORE INTO volume(name, anonymous, created_at) VALUES (?, ?, ?)",
    row.name,
    row.anonymous ? 1 : 0,
    Math.trunc(now),
  );
}

/** All volumes by name. */
export function listVolumes(db: Database): VolumeRow[] {
  return db
    .all("SELECT * FROM volume ORDER BY name")
    .map((row) => ({ name: String(row["name"]), anonymous: row["anonymous"] === 1 }));
}

/** Names of volumes that some container mounts. */
export function usedVolumes(db: Database): ReadonlySet<string> {
  const rows = db.all(
    `SELECT DISTINCT json_extract(mount.value, '$.name') AS name FROM container, json_each(container.config, '$.mounts') AS mount
     WHERE json_extract(mount.value, '$.kind') = 'volume'`,
  );
  return new Set(rows.map((row) => String(row["name"])));
}

/** No error when there is none. */
export function deleteVolume(db: Database, name: string): void {
  db.run("DELETE FROM volume WHERE name = ?", name);
}
