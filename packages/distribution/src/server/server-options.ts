// What the registry's HTTP can be told: storages, access, switches and limits, with the defaults in one place.

import type { Scope } from "@teu/base/scope";

import type { AccessControl } from "./access.ts";
import type { BlobStorage } from "./blob-storage.ts";
import type { MetadataStorage } from "./metadata-storage.ts";
import type { Observer } from "./registry-event.ts";

/** Bounds against clients that are hostile or broken. Bytes, milliseconds, counts. */
export interface ServerLimits {
  /** Largest manifest; the spec wants at least 4 MiB. */
  readonly manifestBytes: number;
  /** Entries of one page of tags, repositories or referrers; also the default of the catalogue. */
  readonly pageEntries: number;
  /** Bytes of one page of referrers. */
  readonly referrersBytes: number;
  /** Tags in one push. */
  readonly tagsPerPush: number;
  /** Open upload sessions. */
  readonly uploads: number;
  /** Least speed of a body, bytes per second over `bodyWindow`. */
  readonly bodyRate: number;
  readonly bodyWindow: number;
  /** How long a request waits for another one that has the same upload open. */
  readonly uploadWait: number;
  /** How long a refused client may go on sending before it is cut off. */
  readonly linger: number;
}

/** The limits of a server that was told nothing. */
export const DEFAULT_LIMITS: ServerLimits = {
  manifestBytes: 4 << 20,
  pageEntries: 10_000,
  referrersBytes: 4 << 20,
  tagsPerPush: 100,
  uploads: 10_000,
  bodyRate: 256,
  bodyWindow: 30_000,
  uploadWait: 5000,
  linger: 5000,
};

/** What a handler works with. It owns none of it. */
export interface RegistryServerOptions {
  /** Ends with the server. */
  readonly scope: Scope;
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
  readonly access?: AccessControl;
  readonly limits?: Partial<ServerLimits>;
  /** Refuse everything that changes something. Default false. */
  readonly readOnly?: boolean;
  /** Allow DELETE of manifests, tags and blobs. Default true. */
  readonly deletes?: boolean;
  /** The repository that a name of another registry (`ns=`) has here, where clients ask for it as a mirror of that. */
  readonly locate?: (repository: string, namespace: string) => string;
  /** Told of every request. */
  readonly observe?: Observer;
  /** Take manifests whose layers or platforms are not all here. Default false. */
  readonly sparse?: boolean;
}
