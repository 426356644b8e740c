// Makes and ends leases.

import { rmSync } from "node:fs";

import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";

import { OverlaySnapshots } from "../snapshots/overlay-snapshots.ts";
import type { Database } from "./database.ts";
import { blobNeeded } from "./garbage.ts";
import { addLease, deleteLease, dropFromLease, EVERY_NEW_BLOB, touchLease } from "./lease-rows.ts";
import { LeasedContent } from "./leased-content.ts";
import type { Lease } from "./leases.ts";
import type { EnginePaths } from "./paths.ts";

/** A lease of this process, with the engine's own classes behind its faces. */
export interface HeldLease extends Lease {
  readonly content: LeasedContent;
  readonly snapshots: OverlaySnapshots;
}

/** Leases that could not be ended when they should. */
const owed: WeakMap<Database, readonly string[]> = new WeakMap();

/** Ends what could not be ended before. Call before collecting. */
export function endOwedLeases(db: Database): void {
  for (const id of owed.get(db) ?? []) deleteLease(db, id);
  owed.delete(db);
}

/** Takes a lease. Dispose it once rows refer to what was made. */
export function holdLease(scope: Scope, db: Database, paths: EnginePaths, store: ContentStore): HeldLease {
  const id = addLease(db, scope.now());
  // Naming a thing twice would only cost another transaction.
  const named = new Set<string>();
  const keep = (kind: "blob" | "layer", digest: string) => {
    if (named.has(kind + digest)) return;
    touchLease(db, id, kind, [digest], scope.now());
    named.add(kind + digest);
  };
  const content = new LeasedContent(store, {
    keep: (digest) => keep("blob", digest ?? EVERY_NEW_BLOB),
    giveUp: (digest) =>
      db.transaction(() => {
        named.delete(`blob${digest}`);
        dropFromLease(db, id, "blob", digest);
        const path = store.path?.(digest);
        if (path === undefined || blobNeeded(db, digest)) return false;
        rmSync(path, { force: true });
        return true;
      }),
  });
  return {
    id,
    content,
    snapshots: new OverlaySnapshots({ db, paths, content, keep: (chainId) => keep("layer", chainId) }),
    [Symbol.asyncDispose]: async () => {
      try {
        deleteLease(db, id);
      } catch (error) {
        // Without room to write even that: it must not hide why the work failed.
        scope.log.warn("cannot end lease", { id, error });
        owed.set(db, [...(owed.get(db) ?? []), id]);
      }
    },
  };
}
