// The seam between whoever needs a root file system and how layers lie on disk. Contract tests: snapshots.suite.ts.
// A layer is read-only and named by its chain id (image-spec, "Layer ChainID"); a workspace is one writable directory over a layer.

import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import type { Descriptor } from "@teu/specs/image";

/** One unpacked, immutable layer. */
export interface Layer {
  readonly chainId: Digest;
  /** Chain id of the layer below; null for the lowest. */
  readonly parent: Digest | null;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** The blob it was unpacked from or packed into, in the content store; null when that is not kept. */
  readonly blob: Descriptor | null;
  /** Bytes that this layer alone takes on disk. */
  readonly size: number;
  /** Absolute path of the directory in overlay format. Never write into it. */
  readonly directory: string;
}

/** A writable directory over a layer, for one container or one build step. Nothing is mounted. */
export interface Workspace {
  /** Who it belongs to: a container id, or the name a build step chose. */
  readonly key: string;
  /** The layer it stands on; null: on nothing. */
  readonly parent: Digest | null;
  /** Absolute directories, topmost first, as overlayfs wants them; empty when `parent` is null. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
}

/** Where to get a layer from. */
export interface UnpackOptions {
  /** Blob in the content store, with the media type that says its compression. */
  readonly descriptor: Descriptor;
  /** The layer it lies on; must be unpacked already. */
  readonly parent: Digest | null;
  /** What the image config promises; another result is `corrupt` and leaves nothing. */
  readonly diffId?: Digest;
  /** The bytes, when the caller reads them anyway (a download); default: read from the content store. */
  readonly source?: AsyncIterable<Uint8Array>;
}

/** How a workspace becomes a layer. */
export interface CommitOptions {
  /** Default "gzip". */
  readonly compression?: "none" | "gzip" | "zstd";
  /** Later times in the blob become this one: SOURCE_DATE_EPOCH, in nanoseconds. */
  readonly latestNs?: bigint;
}

/** Disk use of one workspace. */
export interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

/** Layers and workspaces of one engine. Methods may be called by several processes at once. */
export interface Snapshots {
  /** The layer with this chain id; null when not unpacked here. */
  get(scope: Scope, chainId: Digest): Promise<Layer | null>;
  /** All layers. */
  list(scope: Scope): Promise<Layer[]>;
  /** From `chainId` down to the lowest layer. `not-found` when one is missing. */
  chain(scope: Scope, chainId: Digest): Promise<Layer[]>;
  /** Unpacks one blob on `parent`. Visible only when whole and verified; when it is there already, it is returned at once. */
  unpack(scope: Scope, options: UnpackOptions): Promise<Layer>;
  /** Makes a writable directory over `chainId` (null: empty). `already-exists` when `key` is taken. */
  prepare(scope: Scope, key: string, chainId: Digest | null): Promise<Workspace>;
  /** The workspace of `key`; null when there is none. */
  workspace(scope: Scope, key: string): Promise<Workspace | null>;
  /** Turns the upper directory of `key` into a layer by renaming it; the workspace is gone afterwards. Not while it is mounted. */
  commit(scope: Scope, key: string, options?: CommitOptions): Promise<Layer>;
  /** Removes the workspace of `key`; no error when there is none. */
  remove(scope: Scope, key: string): Promise<void>;
  /** What the upper directory of `key` takes. */
  usage(scope: Scope, key: string): Promise<Usage>;
}
