// What build steps have made before: an opaque key (the builder's business) to the layer it made. Entries keep their layers from collection.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

/** One remembered step. */
export interface BuildCacheEntry {
  readonly key: string;
  /** The layer chain after the step; null when the step stands on nothing and made none. */
  readonly chainId: Digest | null;
  /** JSON of the builder's choice, at most 1 MiB: a config, a history line ... */
  readonly value: unknown;
}

/** The build cache of one engine. */
export interface BuildCache {
  /** Null when unknown, or when its layer is gone. Counts as a use. */
  get(scope: Scope, key: string): Promise<BuildCacheEntry | null>;
  /** Remembers, replacing what was there. */
  put(scope: Scope, entry: BuildCacheEntry): Promise<void>;
  /** Forgets entries not used since `before` (milliseconds since 1970); default all. Returns how many. */
  prune(scope: Scope, before?: number): Promise<number>;
}
