// Rows of layers and workspaces. The directories they speak of are the business of snapshots/.

import type { Digest } from "@teu/image/digest";
import type { Descriptor } from "@teu/specs/image";

import type { Database, Row } from "./database.ts";
import { jsonColumn, textOrNull } from "./json-column.ts";
import { ownerAlive } from "./owner.ts";

/** A row of `layer`. */
export interface LayerRow {
  readonly chainId: Digest;
  readonly parent: Digest | null;
  readonly diffId: Digest;
  readonly blob: Descriptor | null;
  readonly size: number;
}

/** A row of `workspace`. */
export interface WorkspaceRow {
  readonly key: string;
  readonly parent: Digest | null;
}

/** Adds a layer; one that is there stays as it is, but learns its blob when it had none. */
export function putLayer(db: Database, layer: LayerRow, now: number): void {
  const blob = layer.blob === null ? null : JSON.stringify(layer.blob);
  db.run(
    `INSERT INTO layer(chain_id, parent, diff_id, blob, blob_digest, size, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT(chain_id) DO UPDATE SET blob = coalesce(blob, excluded.blob), blob_digest = coalesce(blob_digest, excluded.blob_digest)`,
    layer.chainId,
    layer.parent,
    layer.diffId,
    blob,
    layer.blob?.digest ?? null,
    layer.size,
    Math.trunc(now),
  );
}

/** Null when there is none. */
export function getLayer(db: Database, chainId: string): LayerRow | null {
  const row = db.get("SELECT * FROM layer WHERE chain_id = ?", chainId);
  return row === undefined ? null : layerOf(row);
}

/** All layers, oldest first. */
export function listLayers(db: Database): LayerRow[] {
  return db.all("SELECT * FROM layer ORDER BY created_at, chain_id").map(layerOf);
}

/** From `chainId` down; ends early where a parent is missing. */
export function layerChain(db: Database, chainId: string): LayerRow[] {
  const sql = `WITH RECURSIVE chain(id, depth) AS (
      SELECT ?, 0 UNION ALL SELECT layer.parent, depth + 1 FROM chain JOIN layer ON layer.chain_id = chain.id WHERE layer.parent IS NOT NULL)
    SELECT layer.* FROM chain JOIN layer ON layer.chain_id = chain.id ORDER BY depth`;
  return db.all(sql, chainId).map(layerOf);
}

/** Adds a workspace; `owner` for those that end with their process. False when the key is taken. */
export function addWorkspace(db: Database, workspace: WorkspaceRow, owner: string | null, now: number): boolean {
  return (
    db.run(
      "INSERT OR IGNORE INTO workspace(key, parent, owner, created_at) VALUES (?, ?, ?, ?)",
      workspace.key,
      workspace.parent,
      owner,
      Math.trunc(now),
    ) === 1
  );
}

/** Null when there is none. */
export function getWorkspace(db: Database, key: string): WorkspaceRow | null {
  const row = db.get("SELECT * FROM workspace WHERE key = ?", key);
  return row === undefined ? null : { key, parent: textOrNull(row, "parent") as Digest | null };
}

/** No error when there is none. */
export function deleteWorkspace(db: Database, key: string): void {
  db.run("DELETE FROM workspace WHERE key = ?", key);
}

/** Keys of workspaces that belong to a dead process, or to no container that exists. */
export function orphanedWorkspaces(db: Database): string[] {
  const rows = db.all(
    "SELECT key, owner FROM workspace WHERE owner IS NOT NULL OR key NOT IN (SELECT id FROM container)",
  );
  return rows
    .filter((row) => row["owner"] === null || !ownerAlive(String(row["owner"])))
    .map((row) => String(row["key"]));
}

/** Keys of workspaces that begin so. */
export function workspacesNamed(db: Database, prefix: string): string[] {
  const rows = db.all("SELECT key FROM workspace WHERE substr(key, 1, length(?1)) = ?1", prefix);
  return rows.map((row) => String(row["key"]));
}

function layerOf(row: Row): LayerRow {
  return {
    chainId: String(row["chain_id"]) as Digest,
    parent: textOrNull(row, "parent") as Digest | null,
    diffId: String(row["diff_id"]) as Digest,
    blob: row["blob"] === null ? null : jsonColumn<Descriptor>(row, "blob"),
    size: Number(row["size"]),
  };
}
