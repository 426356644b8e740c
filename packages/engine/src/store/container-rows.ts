// Rows of containers. What a container is asked to be is one JSON value; its life is in files of its shim.

import { TeuError } from "@teu/base/errors";
import type { Digest } from "@teu/image/digest";

import type { ContainerSettings } from "../containers/container-settings.ts";
import type { Database, Row } from "./database.ts";
import { jsonColumn, textOrNull } from "./json-column.ts";

/** A row of `container`. */
export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  readonly imageId: Digest | null;
  readonly chainId: Digest | null;
  readonly autoRemove: boolean;
  /** The process without which nobody wants it (`selfOwner`); null: it stands for itself. */
  readonly owner: string | null;
  readonly settings: ContainerSettings;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** Adds a container. `already-exists` when its name is taken. */
export function addContainer(db: Database, row: ContainerRow): void {
  checkName(db, row.name);
  db.run(
    "INSERT INTO container(id, name, image_id, chain_id, auto_remove, owner, config, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    row.id,
    row.name,
    row.imageId,
    row.chainId,
    row.autoRemove ? 1 : 0,
    row.owner,
    JSON.stringify(row.settings),
    Math.trunc(row.createdAt),
  );
}

/** Null when there is none. */
export function getContainer(db: Database, id: string): ContainerRow | null {
  const row = db.get("SELECT * FROM container WHERE id = ?", id);
  return row === undefined ? null : containerOf(row);
}

/** Null when no container has this name. */
export function getContainerByName(db: Database, name: string): ContainerRow | null {
  const row = db.get("SELECT * FROM container WHERE name = ?", name);
  return row === undefined ? null : containerOf(row);
}

/** Those whose id begins with `prefix` (hex), at most two. */
export function containersByPrefix(db: Database, prefix: string): ContainerRow[] {
  return db.all("SELECT * FROM container WHERE id >= ? AND id < ? LIMIT 2", prefix, `${prefix}~`).map(containerOf);
}

/** Youngest first. */
export function listContainers(db: Database): ContainerRow[] {
  return db.all("SELECT * FROM container ORDER BY created_at DESC, id").map(containerOf);
}

/** Those that belong to a process. */
export function ownedContainers(
  db: Database,
): { readonly id: string; readonly owner: string; readonly autoRemove: boolean }[] {
  return db.all("SELECT id, owner, auto_remove FROM container WHERE owner IS NOT NULL").map((row) => ({
    id: String(row["id"]),
    owner: String(row["owner"]),
    autoRemove: row["auto_remove"] === 1,
  }));
}

/** Ids of containers made from an image. */
export function containersOfImage(db: Database, imageId: string): { readonly id: string; readonly name: string }[] {
  return db
    .all("SELECT id, name FROM container WHERE image_id = ? ORDER BY created_at", imageId)
    .map((row) => ({ id: String(row["id"]), name: String(row["name"]) }));
}

/** Whether the container exists. */
export function hasContainer(db: Database, id: string): boolean {
  return db.get("SELECT 1 FROM container WHERE id = ?", id) !== undefined;
}

/** `already-exists` when the name is taken. */
export function renameContainer(db: Database, id: string, name: string): void {
  db.transaction(() => {
    checkName(db, name, id);
    db.run("UPDATE container SET name = ? WHERE id = ?", name, id);
  });
}

/** Removes the container with its workspace, addresses and ports. */
export function deleteContainer(db: Database, id: string): void {
  db.transaction(() => {
    db.run("DELETE FROM workspace WHERE key = ?", id);
    db.run("DELETE FROM address WHERE container_id = ?", id);
    db.run("DELETE FROM port WHERE container_id = ?", id);
    db.run("DELETE FROM container WHERE id = ?", id);
  });
}

function checkName(db: Database, name: string, self = ""): void {
  const holder = db.get("SELECT id FROM container WHERE name = ?", name);
  if (holder === undefined || holder["id"] === self) return;
  throw new TeuError({
    code: "already-exists",
    op: "name container",
    subject: name,
    message: `the name is in use by container ${String(holder["id"]).slice(0, 12)}`,
    hint: "remove or rename that container, or choose another name",
  });
}

function containerOf(row: Row): ContainerRow {
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    imageId: textOrNull(row, "image_id") as Digest | null,
    chainId: textOrNull(row, "chain_id") as Digest | null,
    autoRemove: row["auto_remove"] === 1,
    owner: textOrNull(row, "owner"),
    settings: jsonColumn<ContainerSettings>(row, "config"),
    createdAt: Number(row["created_at"]),
  };
}
