// Opens the directory of a registry for work beside the process that serves it, or while none does.

import { existsSync } from "node:fs";
import path from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { SqliteMetadata } from "../metadata/sqlite-metadata.ts";
import { DiskBlobStorage } from "../storage/disk-blob-storage.ts";

/** Name of the index below the root. */
export const INDEX = "registry.db";

/** Both storages of a directory; disposing closes them. */
export class OpenRoot implements AsyncDisposable {
  readonly path: string;
  readonly blobs: DiskBlobStorage;
  readonly metadata: SqliteMetadata;

  private constructor(root: string, blobs: DiskBlobStorage, metadata: SqliteMetadata) {
    this.path = root;
    this.blobs = blobs;
    this.metadata = metadata;
  }

  /** Opens what is there; `make` also makes it. @throws TeuError `not-found` when there is no registry. */
  static async open(scope: Scope, root: string, options: { readonly make?: boolean } = {}): Promise<OpenRoot> {
    const index = path.join(root, INDEX);
    if (options.make !== true && !existsSync(index)) {
      throw new TeuError({
        code: "not-found",
        op: "open registry",
        subject: root,
        message: `there is no ${INDEX}`,
        hint: "--root is the directory that `teu registry serve` was given",
      });
    }
    const blobs = await DiskBlobStorage.open(scope, root);
    return new OpenRoot(root, blobs, SqliteMetadata.open(index));
  }

  /** @throws TeuError `not-found` when the registry has no such repository. `op`: what it is wanted for. */
  async checkRepository(scope: Scope, repository: string, op: string): Promise<void> {
    if (await this.metadata.hasRepository(scope, repository)) return;
    throw new TeuError({
      code: "not-found",
      op,
      subject: repository,
      message: `the registry in ${this.path} has no such repository`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.metadata[Symbol.asyncDispose]();
    await this.blobs[Symbol.asyncDispose]();
  }
}
