// The registry's second storage contract: a transactional index of repositories, manifests, tags with history, references
// between them, and upload sessions. Every method is one transaction: it happened wholly and is durable when it resolves, or not.
// Exceptions to "durable": leases, claims, begun uploads and times of pulls survive a crash of the process, not of the power.
// Several processes may have one index open: nothing here relies on being alone.
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
  /**
   * Says that an upload is about to make these blobs visible in the blob storage: from now until the upload ends nobody deletes
   * their bytes, whatever the index knew of them. False when the upload is over.
   */
  claimBlobs(scope: Scope, upload: string, digests: readonly Digest[]): Promise<boolean>;
  /**
   * Records that the repository has blobs, which the upload claimed and the blob storage holds; `end` ends the upload with it.
   * False, and nothing changed, when the upload is over or has not claimed them all: then their bytes may be gone.
   */
  linkClaimed(scope: Scope, repository: string, link: ClaimedLink): Promise<boolean>;
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
  /**
   * Marks a manifest as deleted and removes the tags that point at it; null when absent. Until it is purged `undeleteManifest`
   * brings it back. With `rights`, not what a protected tag needs.
   */
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

  /** @throws TeuError `exhausted`, with `limit` as detail when there are `limit` sessions already. */
  createUpload(scope: Scope, upload: UploadSession, limit: number): Promise<void>;
  /** Null when the session is unknown or belongs to another repository. Renews it. */
  findUpload(scope: Scope, repository: string, id: string): Promise<UploadSession | null>;
  deleteUpload(scope: Scope, id: string): Promise<boolean>;
  /** Whether there is such a session, in any repository. */
  hasUpload(scope: Scope, id: string): Promise<boolean>;

  /** Brings back a manifest that is marked as deleted, with the manifests it refers to and the tags that went with it. */
  undeleteManifest(scope: Scope, repository: string, digest: Digest): Promise<Undeletion>;
  /** Points a tag at a manifest of the repository, one marked as deleted included: brings a tag back, or rolls it back. */
  restoreTag(scope: Scope, repository: string, tag: string, digest: Digest): Promise<Undeletion>;
  /** Manifests that are marked as deleted, latest first. */
  listDeleted(scope: Scope, repository: string, limit: number): Promise<readonly DeletedManifest[]>;
  /** Tags that were removed, with a manifest or alone, and can be brought back, latest first. */
  listDeletedTags(scope: Scope, repository: string, limit: number): Promise<readonly DeletedTag[]>;

  /**
   * Removes the tags that `choose` names, given all of the repository with their times; nothing changes between the two. The number
   * of tags removed.
   */
  removeTags(scope: Scope, repository: string, choose: (tags: readonly TagUse[]) => readonly string[]): Promise<number>;

  /** Remembers that a manifest was fetched; written later, many at once. */
  notePull(scope: Scope, repository: string, digest: Digest): void;
  /** Writes the pulls noted so far. */
  flushPulls(scope: Scope): Promise<void>;

  // Looking through everything, for verification, export and retention: in pages, never to answer a request.

  /** All blobs that the index knows, by digest in byte order. */
  listBlobs(scope: Scope, page: Page): Promise<readonly BlobInfo[]>;
  /** Whether the repository has the blob; renews nothing. */
  hasBlob(scope: Scope, repository: string, digest: Digest): Promise<boolean>;
  /** What the index knows of a blob: "orphan" when no repository has it, "claimed" when only an upload has; null: nothing. */
  blobState(scope: Scope, digest: Digest): Promise<"linked" | "orphan" | "claimed" | null>;
  /** Manifests of all repositories, the marked ones included, in an order of the storage's own. */
  listManifests(scope: Scope, step: Step & { readonly repository?: string }): Promise<ManifestList>;
  /** Tags with what they point at, in byte order. */
  listTagTargets(scope: Scope, repository: string, page: Page): Promise<readonly TagTarget[]>;

  // Cleaning, in steps that are short transactions each. Times are milliseconds since 1970.

  /**
   * Times that are well in the future, of a clock that was set back since, become those of now, so that what they belong to grows
   * old. Returns how many.
   */
  endFuture(scope: Scope): Promise<number>;
  /**
   * Forgets changes of tags from before `before` that are not among the `keep` latest of their tag; the latest always stays. Looks
   * at up to `limit` changes behind `after`.
   */
  trimHistory(scope: Scope, keep: number, before: number, step: Step): Promise<StepResult>;
  /** Ends sessions not used since `before`, with what they claimed; the caller deletes the bytes of the ids returned. */
  endIdleUploads(scope: Scope, before: number, limit: number): Promise<readonly string[]>;
  /**
   * Marks as deleted what nothing needs: no tag, pushed before `before`, part of no index that is kept, and no referrer of a
   * manifest that is kept. Looks at up to `limit` manifests behind `after`.
   */
  markUntagged(scope: Scope, before: number, step: Step): Promise<StepResult>;
  /** Removes manifests marked before `before`; referrers that have no tag are marked with their subject and go likewise. */
  purgeDeleted(scope: Scope, before: number, limit: number): Promise<number>;
  /** Unlinks blobs that no manifest of their repository refers to and nobody asked for since `before`. */
  releaseUnusedBlobs(scope: Scope, before: number, step: Step): Promise<StepResult>;
  /**
   * Forgets blobs that no repository has had since `before` and no upload claims. `retire` is called within the transaction and
   * takes the bytes away at once: no upload can claim a blob between the two.
   */
  forgetOrphans(
    scope: Scope,
    before: number,
    limit: number,
    retire: (blob: BlobInfo) => void,
  ): Promise<readonly BlobInfo[]>;
  /** Calls `retire` within a transaction if the index knows nothing of the blob and no upload claims it. */
  forgetStray(scope: Scope, digest: Digest, retire: () => boolean): Promise<boolean>;
}

/** Some manifests. */
export interface ManifestList {
  readonly manifests: readonly ListedManifest[];
  /** Where the next step begins; null: these were the last. */
  readonly next: string | null;
}

/** A manifest with all that the index says of it. Times are milliseconds since 1970. */
export interface ListedManifest extends StoredManifest {
  readonly repository: string;
  /** As the index has it. */
  readonly size: number;
  readonly subject: Digest | null;
  readonly pushedAt: number;
  /** Last fetched; null: not since this is recorded. */
  readonly pulledAt: number | null;
  /** Null: it is not deleted. */
  readonly deletedAt: number | null;
}

/** A tag with what is known of its use, milliseconds since 1970. */
export interface TagUse {
  readonly tag: string;
  readonly digest: Digest;
  /** When it was pointed there, or pushed there once more. */
  readonly pushedAt: number;
  /** When its manifest was last fetched; null: not since this is recorded. */
  readonly pulledAt: number | null;
  /** Of a tag that belongs to a manifest by its digest (`digestOfTag`): whether that is here, be it marked deleted. */
  readonly hasSubject?: boolean;
}

/** Where a tag points. */
export interface TagTarget {
  readonly tag: string;
  readonly digest: Digest;
  /** When it was pointed there, milliseconds since 1970. */
  readonly updatedAt: number;
}

/** What `linkClaimed` is told. */
export interface ClaimedLink {
  /** Id of the session. */
  readonly upload: string;
  readonly blobs: readonly BlobInfo[];
  readonly end: boolean;
}

/** How far one step of cleaning goes. */
export interface Step {
  /** What the step before said in `next`; absent: from the beginning. */
  readonly after?: string;
  /** Entries looked at. */
  readonly limit: number;
}

/** What one step of cleaning did. */
export interface StepResult {
  /** Entries changed. */
  readonly count: number;
  /** Where the next step begins; null: all was looked at. Opaque. */
  readonly next: string | null;
}

/** What became of bringing something back. */
export type Undeletion =
  | { readonly kind: "restored"; readonly manifests: readonly Digest[]; readonly tags: readonly string[] }
  /** It was there all the time. */
  | { readonly kind: "unchanged" }
  /** It never was, or it is gone for good. */
  | { readonly kind: "unknown" };

/** A manifest that can be brought back. */
export interface DeletedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly deletedAt: number;
}

/** A tag that can be brought back. */
export interface DeletedTag {
  readonly tag: string;
  /** Where it pointed last; the repository has that manifest, be it marked as deleted. */
  readonly digest: Digest;
  /** Milliseconds since 1970. */
  readonly deletedAt: number;
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
