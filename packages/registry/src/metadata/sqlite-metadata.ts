// The index in SQLite: each method of the contract is one transaction over the row files beside this one.
// A file for a registry on disk, ":memory:" for one in a test.

import type { Scope } from "@teu/base/scope";
import type { TagRights } from "@teu/distribution/server/access";
import {
  isProtected,
  type ManifestName,
  type ManifestPush,
  type MetadataStorage,
  type Page,
  type PushOutcome,
  type Referrer,
  type StoredManifest,
  type TagChange,
  type TagProtected,
  type UploadSession,
} from "@teu/distribution/server/metadata-storage";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import * as blobs from "./blob-rows.ts";
import { Database } from "./database.ts";
import { ManifestCache } from "./manifest-cache.ts";
import * as manifests from "./manifest-rows.ts";
import { protectedBy } from "./protected-tags.ts";
import * as repositories from "./repository-rows.ts";
import * as tags from "./tag-rows.ts";
import * as uploads from "./upload-rows.ts";

/** The SQLite implementation of the metadata contract. */
export class SqliteMetadata implements MetadataStorage {
  readonly #db: Database;
  readonly #cache: ManifestCache = new ManifestCache();

  private constructor(db: Database) {
    this.#db = db;
  }

  /** Opens or makes the index file; ":memory:" for none. @throws TeuError as `Database.open`. */
  static open(path: string): SqliteMetadata {
    return new SqliteMetadata(Database.open(path));
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

  async linkBlob(scope: Scope, repository: string, blob: BlobInfo): Promise<void> {
    scope.check("link blob");
    this.#db.transaction(() => blobs.linkBlob(this.#db, repository, blob, scope.now()));
  }

  async mountBlob(scope: Scope, repository: string, digest: Digest, from: string): Promise<BlobInfo | null> {
    scope.check("mount blob");
    return this.#db.transaction(() => {
      const blob = blobs.findBlob(this.#db, from, digest, scope.now());
      if (blob !== null) blobs.linkBlob(this.#db, repository, blob, scope.now());
      return blob;
    });
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
    this.#db.transaction(() => uploads.createUpload(this.#db, upload, limit, scope.now()));
  }

  async findUpload(scope: Scope, repository: string, id: string): Promise<UploadSession | null> {
    scope.check("look up upload");
    return uploads.findUpload(this.#db, repository, id, scope.now());
  }

  async deleteUpload(scope: Scope, id: string): Promise<boolean> {
    scope.check("end upload");
    return uploads.deleteUpload(this.#db, id);
  }

  async idleUploads(scope: Scope, before: number, limit: number): Promise<readonly string[]> {
    scope.check("list uploads");
    return uploads.idleUploads(this.#db, before, limit);
  }

  async releaseUnusedBlobs(scope: Scope, before: number, limit: number): Promise<number> {
    scope.check("release blobs");
    return this.#db.transaction(() => blobs.releaseUnusedBlobs(this.#db, before, limit, scope.now()));
  }

  async orphanBlobs(scope: Scope, before: number, limit: number): Promise<readonly BlobInfo[]> {
    scope.check("list orphans");
    return blobs.orphanBlobs(this.#db, before, limit);
  }

  async forgetBlob(scope: Scope, digest: Digest): Promise<boolean> {
    scope.check("forget blob");
    return blobs.forgetBlob(this.#db, digest);
  }

  async knowsBlob(scope: Scope, digest: Digest): Promise<boolean> {
    scope.check("look up blob");
    return blobs.knowsBlob(this.#db, digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#db[Symbol.dispose]();
  }
}

// Neither names nor references have a space in them.
function cacheKey(repository: string, reference: string): string {
  return `${repository} ${reference}`;
}
