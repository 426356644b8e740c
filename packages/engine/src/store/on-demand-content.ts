// The engine's content store, opened when something is to be written: most commands read little or nothing of it.

import type { Scope } from "@teu/base/scope";
import type { BlobInfo, BlobRange, ContentStore, Ingest, IngestOptions } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";
import { DiskContentStore } from "@teu/image/disk-content-store";

/** `DiskContentStore` whose opening (directories made, what killed writers left removed) waits for the first write or list. */
export class OnDemandContent implements ContentStore {
  readonly #directory: string;
  readonly #reader: ContentStore;
  #opened: Promise<DiskContentStore> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#reader = DiskContentStore.readOnly(directory);
  }

  path(digest: Digest): string | undefined {
    return this.#reader.path?.(digest);
  }

  info(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    return this.#reader.info(scope, digest);
  }

  read(scope: Scope, digest: Digest, range?: BlobRange): AsyncIterable<Uint8Array> {
    return this.#reader.read(scope, digest, range);
  }

  readAll(scope: Scope, digest: Digest, limit: number): Promise<Uint8Array> {
    return this.#reader.readAll(scope, digest, limit);
  }

  async ingest(scope: Scope, key: string, options?: IngestOptions): Promise<Ingest> {
    return (await this.#open()).ingest(scope, key, options);
  }

  async delete(scope: Scope, digest: Digest): Promise<boolean> {
    return this.#reader.delete(scope, digest);
  }

  async *list(scope: Scope): AsyncIterable<BlobInfo> {
    yield* (await this.#open()).list(scope);
  }

  async dropInterrupted(scope: Scope): Promise<void> {
    await (await this.#open()).dropInterrupted(scope);
  }

  #open(): Promise<DiskContentStore> {
    this.#opened ??= DiskContentStore.open(this.#directory);
    return this.#opened;
  }
}
