// `teu registry gc`: a sweep from another process than the one that serves, and what a sweep would do.
// A dry run is the same sweep on a copy of the index, with nothing to delete: there is no second opinion that could differ.

import path from "node:path";
import { createScope, type Scope } from "@teu/base/scope";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";
import { TemporaryDirectory } from "@teu/files/temporary-directory";

import { SqliteMetadata } from "../metadata/sqlite-metadata.ts";
import { type HistoryLimits, sweep, type SweepBlobs, type SweepResult } from "../sweep.ts";
import type { OpenRoot } from "./open-root.ts";

/** How patient collecting is. Milliseconds. */
export interface CollectOptions {
  readonly grace: number;
  readonly uploadExpiry: number;
  /** Also delete manifests that nothing needs. */
  readonly untagged: boolean;
  /** Which changes of tags stay; absent: all. */
  readonly history?: HistoryLimits;
  /** What time it is, when that is not for the scope to say. */
  readonly now?: number;
}

/** What would go. */
export interface CollectPlan {
  readonly now: SweepResult;
  /** What would go on top of that by `at` if nobody asks for it, uploads or deletes anything. */
  readonly later: SweepResult & { readonly at: number };
}

/** Collects now; also finds bytes that a crash left. */
export function collect(scope: Scope, root: OpenRoot, options: CollectOptions): Promise<SweepResult> {
  return sweep(scope, { ...root, ...options, strays: true });
}

/** What a plan is made of. */
export type PlannedRoot = Pick<OpenRoot, "path"> & {
  readonly blobs: SweepBlobs;
  readonly metadata: Pick<SqliteMetadata, "copyTo">;
};

/** Says what `collect` would do, without doing it. Needs room for a copy of the index. */
export async function planCollect(scope: Scope, root: PlannedRoot, options: CollectOptions): Promise<CollectPlan> {
  await using directory = await TemporaryDirectory.make(scope, root.path, ".gc-");
  const copy = path.join(directory.path, "index.db");
  await root.metadata.copyTo(scope, copy);
  await using metadata = SqliteMetadata.open(copy);
  const blobs = new PretendedBlobs(root.blobs);
  const now = await sweep(scope, { blobs, metadata, ...options, strays: true });
  // A deletion now is a mark; the mark runs out a grace time later.
  const at = (options.now ?? scope.now()) + Math.max(2 * options.grace, options.uploadExpiry) + 1;
  const then = createScope({ signal: scope.signal, log: scope.log, now: () => at });
  const later = await sweep(then, { blobs, metadata, ...options, now: at });
  return { now, later: { ...later, at } };
}

class PretendedBlobs implements SweepBlobs {
  readonly #real: SweepBlobs;
  readonly #retired: Set<Digest> = new Set();

  constructor(real: SweepBlobs) {
    this.#real = real;
  }

  async *list(scope: Scope): AsyncIterable<Digest> {
    for await (const digest of this.#real.list(scope)) if (!this.#retired.has(digest)) yield digest;
  }

  async stat(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    return this.#real.stat(scope, digest);
  }

  async *listUploads(): AsyncIterable<string> {}

  retire(digest: Digest): boolean {
    this.#retired.add(digest);
    return true;
  }

  async freeRetired(): Promise<void> {}

  async deleteUpload(): Promise<boolean> {
    return true;
  }
}
