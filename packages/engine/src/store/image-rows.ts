// Rows of images and their names.

import type { Digest } from "@teu/image/digest";
import type { Descriptor, ImageConfig, Platform } from "@teu/specs/image";

import type { Database, Row } from "./database.ts";
import { jsonColumn, textOrNull } from "./json-column.ts";

/** A row of `image`. */
export interface ImageRow {
  readonly id: Digest;
  readonly manifest: Descriptor;
  readonly platform: Platform;
  readonly chainId: Digest | null;
  /** Everything in the content store that the image needs. */
  readonly blobs: readonly Digest[];
  readonly size: number;
  readonly createdAt: number;
}

/** A row of `image_name`. */
export interface ImageNameRow {
  readonly name: string;
  readonly imageId: Digest;
  readonly target: Descriptor;
  readonly taggedAt: number;
}

/** Adds an image, or renews what is known of it. */
export function putImage(db: Database, image: ImageRow, now: number): void {
  db.run(
    `INSERT INTO image(id, manifest, platform, chain_id, blobs, size, created_at, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT(id) DO UPDATE SET manifest = excluded.manifest, platform = excluded.platform, blobs = excluded.blobs, size = excluded.size`,
    image.id,
    JSON.stringify(image.manifest),
    JSON.stringify(image.platform),
    image.chainId,
    JSON.stringify(image.blobs),
    image.size,
    Math.trunc(image.createdAt),
    Math.trunc(now),
  );
}

/** Keeps a verified config at hand: reading and hashing the blob at each start of a container costs more than the rest of the search. */
export function putImageConfig(db: Database, id: string, config: ImageConfig): void {
  db.run("UPDATE image SET config = ? WHERE id = ?", JSON.stringify(config), id);
}

/** Null when it is not at hand. */
export function getImageConfig(db: Database, id: string): ImageConfig | null {
  const row = db.get("SELECT config FROM image WHERE id = ? AND config IS NOT NULL", id);
  return row === undefined ? null : jsonColumn<ImageConfig>(row, "config");
}

/** Null when there is none. */
export function getImage(db: Database, id: string): ImageRow | null {
  const row = db.get("SELECT * FROM image WHERE id = ?", id);
  return row === undefined ? null : imageOf(row);
}

/** Youngest first. */
export function listImages(db: Database): ImageRow[] {
  return db.all("SELECT * FROM image ORDER BY created_at DESC, id").map(imageOf);
}

/** Ids that begin with `prefix` (with its algorithm), at most two: enough to know that it is ambiguous. */
export function imageIdsByPrefix(db: Database, prefix: string): Digest[] {
  return db
    .all("SELECT id FROM image WHERE id >= ? AND id < ? LIMIT 2", prefix, `${prefix}~`)
    .map((row) => String(row["id"]) as Digest);
}

/** Removes the image; its names must be gone. */
export function deleteImage(db: Database, id: string): void {
  db.run("DELETE FROM image WHERE id = ?", id);
}

/** Gives an image a name; the name leaves the image that had it. */
export function putImageName(db: Database, name: string, imageId: string, target: Descriptor, now: number): void {
  db.run(
    `INSERT INTO image_name(name, image_id, target, target_digest, tagged_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT(name) DO UPDATE SET image_id = excluded.image_id, target = excluded.target,
       target_digest = excluded.target_digest, tagged_at = excluded.tagged_at`,
    name,
    imageId,
    JSON.stringify(target),
    target.digest,
    Math.trunc(now),
  );
}

/** Null when no image has this name. */
export function getImageName(db: Database, name: string): ImageNameRow | null {
  const row = db.get("SELECT * FROM image_name WHERE name = ?", name);
  return row === undefined ? null : nameOf(row);
}

/** Names of one image, those of indexes that it is in among them; or all names. Sorted. */
export function listImageNames(db: Database, imageId?: string): ImageNameRow[] {
  const rows =
    imageId === undefined
      ? db.all("SELECT * FROM image_name ORDER BY name")
      : db.all(
          `SELECT * FROM image_name WHERE image_id = ?1
           OR target_digest IN (SELECT index_digest FROM image_index_member WHERE image_id = ?1) ORDER BY name`,
          imageId,
        );
  return rows.map(nameOf);
}

/** The same for every image at once: ids with their names. */
export function namesByImage(db: Database): ReadonlyMap<string, ImageNameRow[]> {
  const rows = db.all(
    `SELECT image_name.*, image_id AS owner FROM image_name
     UNION SELECT image_name.*, image_index_member.image_id AS owner FROM image_name
       JOIN image_index_member ON index_digest = target_digest ORDER BY name`,
  );
  const found = Map.groupBy(rows, (row) => String(row["owner"]));
  return new Map([...found].map(([id, names]) => [id, names.map(nameOf)]));
}

/** Images of an index that are here, for names that stand for it. */
export function imagesOfIndex(db: Database, digest: string): ImageRow[] {
  return db
    .all(
      `SELECT image.* FROM image JOIN image_index_member ON image_id = image.id WHERE index_digest = ? ORDER BY added_at, id`,
      digest,
    )
    .map(imageOf);
}

/** Says that images belong to an index, beside those that are known to; `blobs`: what is to be kept of it beside images. */
export function putIndexMembers(
  db: Database,
  digest: string,
  imageIds: readonly string[],
  blobs: readonly string[],
): void {
  const known = db.get("SELECT blobs FROM image_index WHERE digest = ?", digest);
  const all = new Set([...(known === undefined ? [] : jsonColumn<string[]>(known, "blobs")), ...blobs]);
  db.run(
    "INSERT INTO image_index(digest, blobs) VALUES (?, ?) ON CONFLICT(digest) DO UPDATE SET blobs = excluded.blobs",
    digest,
    JSON.stringify([...all]),
  );
  for (const id of imageIds)
    db.run("INSERT OR IGNORE INTO image_index_member(index_digest, image_id) VALUES (?, ?)", digest, id);
}

/** Says that an image belongs to an index no longer. */
export function deleteIndexMember(db: Database, digest: string, imageId: string): void {
  db.run("DELETE FROM image_index_member WHERE index_digest = ? AND image_id = ?", digest, imageId);
}

/** Forgets indexes that no name stands for any more. */
export function dropUnnamedIndexes(db: Database): void {
  db.run(
    "DELETE FROM image_index WHERE NOT EXISTS (SELECT 1 FROM image_name WHERE target_digest = image_index.digest)",
  );
}

/** False when there was none. */
export function deleteImageName(db: Database, name: string): boolean {
  return db.run("DELETE FROM image_name WHERE name = ?", name) === 1;
}

function imageOf(row: Row): ImageRow {
  return {
    id: String(row["id"]) as Digest,
    manifest: jsonColumn<Descriptor>(row, "manifest"),
    platform: jsonColumn<Platform>(row, "platform"),
    chainId: textOrNull(row, "chain_id") as Digest | null,
    blobs: jsonColumn<Digest[]>(row, "blobs"),
    size: Number(row["size"]),
    createdAt: Number(row["created_at"]),
  };
}

function nameOf(row: Row): ImageNameRow {
  return {
    name: String(row["name"]),
    imageId: String(row["image_id"]) as Digest,
    target: jsonColumn<Descriptor>(row, "target"),
    taggedAt: Number(row["tagged_at"]),
  };
}
