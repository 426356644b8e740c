// The registry's second storage contract: a transactional index of repositories, manifests, tags with history, references
// between them, and upload sessions. Every method is one transaction: it happened wholly and is durable when it resolves, or not.
// Every implementation passes metadata-storage.suite.ts. Bytes of blobs are elsewhere; who may do what was decided before.

import type { Scope } from "@teu/base/scope";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { TagRights } from "./access.ts";

/** The index. Names, tags and digests given to it are well-formed. */
export interface MetadataStorage extends AsyncDisposable {
  /** Whether anything was ever kept under the name. */
  hasRepository(scope: Scope, repository: string): Promise<boolean>;
  /** Names with at least one manifest, in byte order. */
  listRepositories(scope: Scope, page: Page): Promise<readonly string[]>;

  /** A blob of this repository; null when the repository does not have it. Renews its lease. */
  findBlob(scope: Scope, repository: string, digest: Digest): Promise<BlobInfo | null>;
  /** Records that the repository has the blob, which the blob storage holds. */
  linkBlob(scope: Scope, repository: string, blob: BlobInfo): Promise<void>;
  /** Links a blob that `from` has; null when it has not. Null also when `from` is the target and lacks it. */
  mountBlob(scope: Scope, repository: string, digest: Digest, from: string): Promise<BlobInfo | null>;
  /** Some repositories that have the blob. */
  repositoriesWithBlob(scope: Scope, digest: Digest, limit: number): Promise<readonly string[]>;
  /** Takes the blob out of this repository only; false when it was not in it. Other repositories keep it. With `rights`, not what a protected tag needs. */
  unlinkBlob(scope: Scope, repository: string, digest: Digest, rights?: TagRights): Promise<boolean | TagProtected>;

  /** By tag or digest; null when absent. */
  findManifest(scope: Scope, repository: string, reference: ManifestName): Promise<StoredManifest | null>;
  /** Stores a manifest and points tags at it, all or nothing. */
  putManifest(scope: Scope, repository: string, push: ManifestPush): Promise<PushOutcome>;
  /** Removes a manifest and the tags that point at it; null when absent. With `rights`, not what a protected tag needs. */
  deleteManifest(
    scope: Scope,
    repository: string,
    digest: Digest,
    rights?: TagRights,
  ): Promise<readonly string[] | null | TagProtected>;
  /** Removes one tag; the manifest stays. The digest it had; null when absent. */
  deleteTag(scope: Scope, repository: string, tag: string): Promise<Digest | null>;
  /** Tags in byte order; null when the repository is unknown. */
  listTags(scope: Scope, repository: string, page: Page): Promise<readonly string[] | null>;
  /** What a tag pointed at, newest first. */
  tagHistory(scope: Scope, repository: string, tag: string, limit: number): Promise<readonly TagChange[]>;
  /** Manifests whose subject is `digest`, by digest in byte order. */
  listReferrers(
    scope: Scope,
    repository: string,
    digest: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<readonly Referrer[]>;

  /** @throws TeuError `exhausted` when there are `limit` sessions already. */
  createUpload(scope: Scope, upload: UploadSession, limit: number): Promise<void>;
  /** Null when the session is unknown or belongs to another repository. Renews it. */
  findUpload(scope: Scope, repository: string, id: string): Promise<UploadSession | null>;
  deleteUpload(scope: Scope, id: string): Promise<boolean>;
  /** Ids of sessions not used since `before` (milliseconds since 1970). */
  idleUploads(scope: Scope, before: number, limit: number): Promise<readonly string[]>;

  /**
   * Unlinks blobs that no manifest of their repository refers to and nobody asked for since `before`.
   * Returns how many links went.
   */
  releaseUnusedBlobs(scope: Scope, before: number, limit: number): Promise<number>;
  /** Blobs that no repository has, unlinked before `before`. */
  orphanBlobs(scope: Scope, before: number, limit: number): Promise<readonly BlobInfo[]>;
  /** Forgets an orphan; false when it has been linked again. The caller then deletes it, holding off `linkBlob` meanwhile. */
  forgetBlob(scope: Scope, digest: Digest): Promise<boolean>;
  /** Whether the index knows the blob in any repository or as an orphan. */
  knowsBlob(scope: Scope, digest: Digest): Promise<boolean>;
}

/** A piece of an ordered list. */
export interface Page {
  /** Begin behind this entry, which need not exist. */
  readonly after?: string;
  readonly limit: number;
}

/** How a manifest is named. */
export type ManifestName = { readonly tag: string } | { readonly digest: Digest };

/** A manifest as it was pushed. `bytes` must not be changed. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a manifest points at. */
export interface ManifestReference {
  readonly kind: "config" | "layer" | "manifest";
  readonly digest: Digest;
  readonly size: number;
  /** Whether the repository must have it: not for layers that are kept elsewhere. */
  readonly required: boolean;
}

/** A manifest to store, taken apart. */
export interface NewManifest extends StoredManifest {
  /** As a referrers list shows it. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Digest;
  readonly references: readonly ManifestReference[];
}

/** One push of a manifest. */
export interface ManifestPush {
  readonly manifest: NewManifest;
  readonly tags: readonly string[];
  /** Which tags may be made and moved; absent: all. */
  readonly rights?: TagRights;
  /** What the first tag must point at for the push to happen: a digest, "any" or "none". */
  readonly condition?: Digest | "any" | "none";
}

/** What became of a push. Nothing is stored but for "stored". */
export type PushOutcome =
  | { readonly kind: "stored"; readonly created: boolean }
  | { readonly kind: "missing"; readonly digests: readonly Digest[] }
  | { readonly kind: "wrong-size"; readonly digest: Digest; readonly declared: number; readonly actual: number }
  | { readonly kind: "condition-failed"; readonly current: Digest | null }
  | { readonly kind: "tag-protected"; readonly tag: string };

/** Nothing was removed, since this tag stands for it and may not be touched. */
export interface TagProtected {
  readonly protectedTag: string;
}

/** Whether a removal was refused. */
export function isProtected(outcome: unknown): outcome is TagProtected {
  return typeof outcome === "object" && outcome !== null && "protectedTag" in outcome;
}

/** One entry of a referrers list. */
export interface Referrer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A change of a tag. */
export interface TagChange {
  /** Null: the tag was removed. */
  readonly digest: Digest | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** An upload in progress. */
export interface UploadSession {
  readonly id: string;
  readonly repository: string;
  /** Hint of the client: algorithm of the digest to come. */
  readonly algorithm?: string;
}
