// `BuildCache` over its table.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { pruneCache, putCacheEntry, useCacheEntry } from "../store/build-cache-rows.ts";
import type { Database } from "../store/database.ts";
import type { BuildCache, BuildCacheEntry } from "./build-cache.ts";

const VALUE_LIMIT = 1 << 20;

/** The build cache of one engine. */
export class StoredBuildCache implements BuildCache {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(scope: Scope, key: string): Promise<BuildCacheEntry | null> {
    return useCacheEntry(this.#db, key, scope.now());
  }

  async put(scope: Scope, entry: BuildCacheEntry): Promise<void> {
    const size = JSON.stringify(entry.value ?? null).length;
    if (size > VALUE_LIMIT)
      throw new TeuError({
        code: "invalid",
        op: "remember build step",
        subject: entry.key,
        message: `its value of ${size} bytes is over the limit of ${VALUE_LIMIT}`,
      });
    putCacheEntry(this.#db, entry, scope.now());
  }

  async prune(_scope: Scope, before: number = Number.MAX_SAFE_INTEGER): Promise<number> {
    return pruneCache(this.#db, before);
  }
}
