// Leases: what keeps fresh blobs and layers from the garbage collector until an image or a container refers to them.
// The rules of collection are in ../prune/collect.ts, the rows in lease-rows.ts, the holding in hold-lease.ts.

import type { ContentStore } from "@teu/image/content-store";
import type { Snapshots } from "../snapshots/snapshots.ts";

/**
 * Held during a pull, build or load. Whatever is read, found or made through `content` and `snapshots` of a lease
 * stays until the lease is disposed, its process died, or 24 hours passed since it was last touched.
 */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  readonly content: ContentStore;
  readonly snapshots: Snapshots;
}
