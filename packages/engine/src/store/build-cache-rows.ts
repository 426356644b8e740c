// Rows of the build cache: what was made for which key. Whether the key still means the same is the builder's business.

import type { Digest } from "@teu/image/digest";

import type { BuildCacheEntry } from "../builds/build-cache.ts";
import type { Database } from "./database.ts";
import { jsonColumn, textOrNull } from "./json-column.ts";

/** Null when unknown or when its layer is gone; else marks it as used. */
export function useCacheEntry(db: Database, key: string, now: number): BuildCacheEntry | null {
  const row = db.get(
    `SELECT * FROM build_cache WHERE key = ? AND (chain_id IS NULL OR chain_id IN (SELECT chain_id FROM layer))`,
    key,
  );
  if (row === undefined) return null;
  db.run("UPDATE build_cache SET used_at = ? WHERE key = ?", Math.trunc(now), key);
  return { key, chainId: textOrNull(row, "chain_id") as Digest | null, value: jsonColumn<unknown>(row, "value") };
}

/** Adds or replaces. */
export function putCacheEntry(db: Database, entry: BuildCacheEntry, now: number): void {
  db.run(
    `INSERT INTO build_cache(key, chain_id, value, used_at) VALUES (?, ?, ?, ?)
     ON CONFLICT(key) DO UPDATE SET chain_id = excluded.chain_id, value = excluded.value, used_at = excluded.used_at`,
    entry.key,
    entry.chainId,
    JSON.stringify(entry.value ?? null),
    Math.trunc(now),
  );
}

/** Forgets what was not used since; returns how many. */
export function pruneCache(db: Database, before: number): number {
  return db.run("DELETE FROM build_cache WHERE used_at < ?", Math.trunc(before));
}
