// The index in SQLite: each method of the contract is one transaction over the row files beside this one.
// A file for a registry on disk, ":memory:" for one in a test.

import type { Scope } from "@teu/base/scope";
import type { TagRights } from "@teu/distribution/server/access";
import {
  isProtected,
  type ClaimedLink,
  type DeletedManifest,
  type DeletedTag,
  type ManifestList,
  type ManifestName,
  type ManifestPush,
  type MetadataStorage,
  type Page,
  type PushOutcome,
  type Referrer,
  type Step,
  type StepResult,
  type StoredManifest,
  type TagChange,
  type TagProtected,
  type TagTarget,
  type TagUse,
  type Undeletion,
  type UploadSession,
} from "@teu/distribution/server/metadata-storage";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import * as blobs from "./blob-rows.ts";
import { Database } from "./database.ts";
import * as deleted from "./deleted-rows.ts";
import { endFuture } from "./future-rows.ts";
import * as inventory from "./inventory-rows.ts";
import { ManifestCache } from "./manifest-cache.ts";
import * as manifests from "./manifest-rows.ts";
import { protectedBy } from "./protected-tags.ts";
import { PullNotes } from "./pull-notes.ts";
import * as repositories from "./repository-rows.ts";
import * as tags from "./tag-rows.ts";
import * as uploads from "./upload-rows.ts";

/** The SQLite implementation of the metadata contract. */
export class SqliteMetadata implements MetadataStorage {
  readonly #db: Database;
  readonly #cache: ManifestCache = new ManifestCache();
  readonly #pulls: PullNotes;

  private constructor(db: Database) {
    this.#db = db;
    this.#pulls = new PullNotes(db);
  }

  /** Opens or makes the index file; ":memory:" for none. @throws TeuError as `Database.open`. */
  static open(path: string): SqliteMetadata {
    return new SqliteMetadata(Database.open(path));
  }

  /** Which registry this is: a random text that copies of the index share. */
  get identity(): string {
    return this.#db.get("SELECT id FROM registry")?.["id"] as string;
  }

  async hasRepository(scope: Scope, repository: string): Promise<boolean> {
    scope.check("look up repository");
    return repositories.findRepository(this.#db, repository) !== null;
  }

  async listRepositories(scope: Scope, page: Page): Promise<readonly string[]> {
    scope.check("list repositories");
    return repositories.listRepositories(this.#db, page);
  }

  async findBlob(scope: Scope, repository: string, digest: Digest): Promise<BlobInfo | null> {
    scope.check("look up blob");
    return blobs.findBlob(this.#db, repository, digest, scope.now());
  }

  async claimBlobs(scope: Scope, upload: string, digests: readonly Digest[]): Promise<boolean> {
    scope.check("claim blobs");
    return this.#db.quickTransaction(() => blobs.claimBlobs(this.#db, upload, digests));
  }

  async linkClaimed(scope: Scope, repository: string, link: ClaimedLink): Promise<boolean> {
    scope.check("link blobs");
    const now = scope.now();
    return this.#db.transaction(() => blobs.linkClaimed(this.#db, repository, link, now));
  }

  async mountBlob(scope: Scope, repository: string, digest: Digest, from: string): Promise<BlobInfo | null> {
    scope.check("mount blob");
    return this.#db.transaction(() => blobs.mountBlob(this.#db, repository, digest, from, scope.now()));
  }

  async repositoriesWithBlob(scope: Scope, digest: Digest, limit: number): Promise<readonly string[]> {
    scope.check("look up blob");
    return blobs.repositoriesWithBlob(this.#db, digest, limit);
  }

  async unlinkBlob(
    scope: Scope,
    repository: string,
    digest: Digest,
    rights?: TagRights,
  ): Promise<boolean | TagProtected> {
    scope.check("unlink blob");
    return this.#db.transaction(
      () =>
        protectedBy(this.#db, repository, digest, rights) ??
        blobs.unlinkBlob(this.#db, repository, digest, scope.now()),
    );
  }

  async findManifest(scope: Scope, repository: string, name: ManifestName): Promise<StoredManifest | null> {
    scope.check("look up manifest");
    const key = cacheKey(repository, "tag" in name ? name.tag : name.digest);
    const known = this.#cache.get(key, this.#db.foreignVersion);
    if (known !== undefined) return known;
    const found = manifests.findManifest(this.#db, repository, name);
    if (found !== null) this.#cache.set(key, found);
    return found;
  }

  async putManifest(scope: Scope, repository: string, push: ManifestPush): Promise<PushOutcome> {
    scope.check("store manifest");
    for (const reference of [...push.tags, push.manifest.digest]) this.#cache.delete(cacheKey(repository, reference));
    return this.#db.transaction(() => manifests.putManifest(this.#db, repository, push, scope.now()));
  }

  async deleteManifest(
    scope: Scope,
    repository: string,
    digest: Digest,
    rights?: TagRights,
  ): Promise<readonly string[] | null | TagProtected> {
    scope.check("delete manifest");
    const removed = this.#db.transaction(
      () =>
        protectedBy(this.#db, repository, digest, rights) ??
        manifests.deleteManifest(this.#db, repository, digest, scope.now()),
    );
    if (isProtected(removed)) return removed;
    for (const reference of [...(removed ?? []), digest]) this.#cache.delete(cacheKey(repository, reference));
    return removed;
  }

  async deleteTag(scope: Scope, repository: string, tag: string): Promise<Digest | null> {
    scope.check("delete tag");
    this.#cache.delete(cacheKey(repository, tag));
    return this.#db.transaction(() => {
      const id = repositories.findRepository(this.#db, repository);
      return id === null ? null : tags.removeTag(this.#db, id, tag, scope.now());
    });
  }

  async listTags(scope: Scope, repository: string, page: Page): Promise<readonly string[] | null> {
    scope.check("list tags");
    return tags.listTags(this.#db, repository, page);
  }

  async tagHistory(scope: Scope, repository: string, tag: string, limit: number): Promise<readonly TagChange[]> {
    scope.check("read tag history");
    return tags.tagHistory(this.#db, repository, tag, limit);
  }

  async listReferrers(
    scope: Scope,
    repository: string,
    digest: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<readonly Referrer[]> {
    scope.check("list referrers");
    return manifests.listReferrers(this.#db, repository, digest, page);
  }

  async createUpload(scope: Scope, upload: UploadSession, limit: number): Promise<void> {
    scope.check("begin upload");
    this.#db.quickTransaction(() => uploads.createUpload(this.#db, upload, limit, scope.now()));
  }

  async findUpload(scope: Scope, repository: string, id: string): Promise<UploadSession | null> {
    scope.check("look up upload");
    return uploads.findUpload(this.#db, repository, id, scope.now());
  }

  async deleteUpload(scope: Scope, id: string): Promise<boolean> {
    scope.check("end upload");
    return uploads.deleteUpload(this.#db, id);
  }

  async hasUpload(scope: Scope, id: string): Promise<boolean> {
    scope.check("look up upload");
    return uploads.hasUpload(this.#db, id);
  }

  async undeleteManifest(scope: Scope, repository: string, digest: Digest): Promise<Undeletion> {
    scope.check("undelete manifest");
    return this.#db.transaction(() => deleted.undeleteManifest(this.#db, repository, digest, scope.now()));
  }

  async restoreTag(scope: Scope, repository: string, tag: string, digest: Digest): Promise<Undeletion> {
    scope.check("restore tag");
    this.#cache.delete(cacheKey(repository, tag));
    return this.#db.transaction(() => deleted.restoreTag(this.#db, repository, tag, digest, scope.now()));
  }

  async listDeleted(scope: Scope, repository: string, limit: number): Promise<readonly DeletedManifest[]> {
    scope.check("list deleted manifests");
    return deleted.listDeleted(this.#db, repository, limit);
  }

  async listDeletedTags(scope: Scope, repository: string, limit: number): Promise<readonly DeletedTag[]> {
    scope.check("list deleted tags");
    return deleted.listDeletedTags(this.#db, repository, limit);
  }

  async removeTags(
    scope: Scope,
    repository: string,
    choose: (tags: readonly TagUse[]) => readonly string[],
  ): Promise<number> {
    scope.check("remove tags");
    const removed = this.#db.transaction(() => tags.removeTags(this.#db, repository, choose, scope.now()));
    for (const tag of removed) this.#cache.delete(cacheKey(repository, tag));
    return removed.length;
  }

  notePull(scope: Scope, repository: string, digest: Digest): void {
    this.#pulls.note(repository, digest, scope.now());
  }

  async flushPulls(scope: Scope): Promise<void> {
    scope.check("write times of pulls");
    // Requests have their turn in between.
    while (this.#pulls.flush()) await new Promise((resolve) => setImmediate(resolve));
  }

  async trimHistory(scope: Scope, keep: number, before: number, step: Step): Promise<StepResult> {
    scope.check("trim history");
    return this.#db.quickTransaction(() => tags.trimHistory(this.#db, keep, before, step));
  }

  async endFuture(scope: Scope): Promise<number> {
    scope.check("set times right");
    return this.#db.quickTransaction(() => endFuture(this.#db, scope.now()));
  }

  async listBlobs(scope: Scope, page: Page): Promise<readonly BlobInfo[]> {
    scope.check("list blobs");
    return inventory.listBlobs(this.#db, page);
  }

  async hasBlob(scope: Scope, repository: string, digest: Digest): Promise<boolean> {
    scope.check("look up blob");
    return inventory.hasBlob(this.#db, repository, digest);
  }

  async blobState(scope: Scope, digest: Digest): Promise<"linked" | "orphan" | "claimed" | null> {
    scope.check("look up blob");
    return inventory.blobState(this.#db, digest);
  }

  async listManifests(scope: Scope, step: Step & { readonly repository?: string }): Promise<ManifestList> {
    scope.check("list manifests");
    return inventory.listManifests(this.#db, step);
  }

  async listTagTargets(scope: Scope, repository: string, page: Page): Promise<readonly TagTarget[]> {
    scope.check("list tags");
    return inventory.listTagTargets(this.#db, repository, page);
  }

  async endIdleUploads(scope: Scope, before: number, limit: number): Promise<readonly string[]> {
    scope.check("end idle uploads");
    return this.#db.transaction(() => uploads.endIdleUploads(this.#db, before, limit));
  }

  async markUntagged(scope: Scope, before: number, step: Step): Promise<StepResult> {
    scope.check("mark untagged manifests");
    this.#cache.clear();
    return this.#db.transaction(() => deleted.markUntagged(this.#db, before, step, scope.now()));
  }

  async purgeDeleted(scope: Scope, before: number, limit: number): Promise<number> {
    scope.check("purge manifests");
    this.#cache.clear();
    return this.#db.transaction(() => deleted.purgeDeleted(this.#db, before, limit));
  }

  async releaseUnusedBlobs(scope: Scope, before: number, step: Step): Promise<StepResult> {
    scope.check("release blobs");
    return this.#db.transaction(() => blobs.releaseUnusedBlobs(this.#db, before, step));
  }

  async forgetOrphans(
    scope: Scope,
    before: number,
    limit: number,
    retire: (blob: BlobInfo) => void,
  ): Promise<readonly BlobInfo[]> {
    scope.check("forget blobs");
    return this.#db.transaction(() => blobs.forgetOrphans(this.#db, before, limit, retire));
  }

  async forgetStray(scope: Scope, digest: Digest, retire: () => boolean): Promise<boolean> {
    scope.check("forget stray blob");
    return this.#db.transaction(() => blobs.forgetStray(this.#db, digest, retire));
  }

  /** What SQLite itself finds wrong with its file, and rows that refer to rows that are not there. */
  async faults(scope: Scope): Promise<readonly string[]> {
    scope.check("check registry index");
    return this.#db.faults();
  }

  /** A copy of the index as it is now, in a new file; requests go on meanwhile. */
  async copyTo(scope: Scope, file: string): Promise<void> {
    scope.check("copy registry index");
    this.#pulls.flushAll();
    await this.#db.copyTo(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pulls.flushAll();
    this.#db[Symbol.dispose]();
  }
}

// Neither names nor references have a space in them.
function cacheKey(repository: string, reference: string): string {
  return `${repository} ${reference}`;
}
