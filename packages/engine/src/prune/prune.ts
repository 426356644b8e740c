// What `prune` takes and says. The collection itself is collect.ts.

import type { Digest } from "@teu/image/digest";

/** What to remove besides blobs and layers that nothing refers to (those always). */
export interface PruneOptions {
  /** Containers that do not run. Default true. */
  readonly containers?: boolean;
  /** "dangling" (default): images without a name; "unused": also named ones that no container uses; "none". */
  readonly images?: "dangling" | "unused" | "none";
  /** The build cache. Default false. */
  readonly buildCache?: boolean;
  /** Named volumes that no container uses. Default false. */
  readonly volumes?: boolean;
}

/** What is gone. */
export interface PruneReport {
  readonly containers: readonly string[];
  readonly images: readonly Digest[];
  readonly layers: readonly Digest[];
  readonly blobs: readonly Digest[];
  readonly volumes: readonly string[];
  /** Bytes of layers and blobs. */
  readonly reclaimed: number;
}
