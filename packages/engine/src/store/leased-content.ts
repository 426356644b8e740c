// A content store whose every touched blob is named by a lease before it is looked for or made. See lease-rows.ts for why in this order.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { BlobInfo, BlobRange, ContentStore, ExpectedBlob, Ingest, IngestOptions } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

/** What a lease does with digests. */
export interface BlobKeeper {
  /** Names a digest, or with null every blob that comes to be from now on. */
  keep(digest: Digest | null): void;
  /** Gives a digest up, and removes the blob when nobody else needs it. Whether it is gone. */
  giveUp(digest: Digest): boolean;
}

/** See the head of this file. */
export class LeasedContent implements ContentStore {
  readonly #store: ContentStore;
  readonly #keeper: BlobKeeper;

  constructor(store: ContentStore, keeper: BlobKeeper) {
    this.#store = store;
    this.#keeper = keeper;
  }

  info(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    this.#keeper.keep(digest);
    return this.#store.info(scope, digest);
  }

  read(scope: Scope, digest: Digest, range?: BlobRange): AsyncIterable<Uint8Array> {
    this.#keeper.keep(digest);
    return this.#store.read(scope, digest, range);
  }

  readAll(scope: Scope, digest: Digest, limit: number): Promise<Uint8Array> {
    this.#keeper.keep(digest);
    return this.#store.readAll(scope, digest, limit);
  }

  path(digest: Digest): string | undefined {
    return this.#store.path?.(digest);
  }

  async ingest(scope: Scope, key: string, options?: IngestOptions): Promise<Ingest> {
    this.#keeper.keep(options?.digest ?? null);
    return new LeasedIngest(scope, this.#store, await this.#store.ingest(scope, key, options), this.#keeper);
  }

  async delete(scope: Scope, digest: Digest): Promise<boolean> {
    scope.check("delete blob");
    return this.#keeper.giveUp(digest);
  }

  list(scope: Scope): AsyncIterable<BlobInfo> {
    return this.#store.list(scope);
  }
}

class LeasedIngest implements Ingest {
  readonly #scope: Scope;
  readonly #store: ContentStore;
  readonly #ingest: Ingest;
  readonly #keeper: BlobKeeper;

  constructor(scope: Scope, store: ContentStore, ingest: Ingest, keeper: BlobKeeper) {
    this.#scope = scope;
    this.#store = store;
    this.#ingest = ingest;
    this.#keeper = keeper;
  }

  get key(): string {
    return this.#ingest.key;
  }

  get offset(): number {
    return this.#ingest.offset;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#ingest.write(chunk);
  }

  async commit(expected?: ExpectedBlob): Promise<BlobInfo> {
    if (expected?.digest !== undefined) this.#keeper.keep(expected.digest);
    const info = await this.#ingest.commit(expected);
    this.#keeper.keep(info.digest);
    // The same bytes may have been there before, unneeded, and collected between commit and lease.
    if ((await this.#store.info(this.#scope, info.digest)) !== null) return info;
    throw new TeuError({
      code: "unavailable",
      op: "store blob",
      subject: info.digest,
      message: "it was collected as garbage at the same moment",
      hint: "try again",
    });
  }

  abort(): Promise<void> {
    return this.#ingest.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ingest[Symbol.asyncDispose]();
  }
}
