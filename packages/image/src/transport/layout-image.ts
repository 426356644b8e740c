// An image in an OCI layout directory (`oci:`), as source and as sink. index.json is written last, under a lock, so that what it
// names is whole and two writers lose nothing of each other's.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { DiskContentStore } from "../disk-content-store.ts";
import { changeLayoutIndex, prepareLayout, readLayoutIndex, removeIngest } from "../layout/layout-directory.ts";
import { joinWriters } from "../layout/layout-writers.ts";
import { findEntry, withEntries } from "./layout-entries.ts";
import type { BlobIdentity, BlobOutcome, ImageDocument, ImageSink, ImageSource, OpenBlob } from "./source-and-sink.ts";
import { putStoreBlob, putStoreDocument, storeSource } from "./store-image.ts";

/** An image of a layout; `reference` as `findEntry` takes it. */
export function layoutSource(name: string, directory: string, reference?: string): ImageSource {
  const listed = async (scope: Scope): Promise<readonly Descriptor[]> =>
    (await readLayoutIndex(scope, directory)).manifests;
  const store = DiskContentStore.readOnly(directory);
  const resolve = async (scope: Scope): Promise<Descriptor> => findEntry(name, await listed(scope), reference);
  return { ...storeSource({ name, store, resolve, listed }), file: ({ digest }) => store.path(digest) };
}

/** A place in a layout, which is made when missing; `labels` become ref.names, replacing the images that had them. */
export async function layoutSink(name: string, directory: string, ...labels: readonly string[]): Promise<ImageSink> {
  await prepareLayout(directory);
  return new LayoutSink(name, directory, await DiskContentStore.open(directory, { syncNamesLater: true }), labels);
}

class LayoutSink implements ImageSink {
  readonly name: string;
  readonly verifies = true;
  /** A blob is verified by one thread after the other: with many under way all threads have something to do until the end. */
  readonly filesAtOnce = 16;
  readonly #directory: string;
  readonly #store: DiskContentStore;
  readonly #labels: readonly string[];
  readonly #referrers: Descriptor[] = [];
  #joined: Promise<AsyncDisposable> | undefined;

  constructor(name: string, directory: string, store: DiskContentStore, labels: readonly string[]) {
    this.name = name;
    this.#directory = directory;
    this.#store = store;
    this.#labels = labels;
  }

  /** From another layout as a link, where that is possible: neither is written to again. */
  async putBlob(
    scope: Scope,
    blob: BlobIdentity,
    open: OpenBlob,
    progress: (offset: number) => void,
  ): Promise<BlobOutcome> {
    await this.#join(scope);
    if (open.file !== undefined && (await this.#store.adopt(scope, open.file, blob))) {
      progress(blob.size);
      return "copied";
    }
    return putStoreBlob(scope, this.#store, blob, open, progress);
  }

  async putDocument(scope: Scope, document: ImageDocument, referrer: boolean): Promise<void> {
    await this.#join(scope);
    await putStoreDocument(scope, this.#store, document);
    if (referrer) this.#referrers.push(document.descriptor);
  }

  async finish(scope: Scope, root: ImageDocument): Promise<void> {
    await this.#join(scope);
    await putStoreDocument(scope, this.#store, root);
    await this.#store.syncNames();
    await changeLayoutIndex(scope, this.#directory, (index) =>
      withEntries(index, root.descriptor, this.#labels, this.#referrers),
    );
  }

  /** What an interrupted copy left is kept for the next one; an empty working directory is not. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = await this.#joined?.catch(() => undefined);
    await removeIngest(this.#directory);
  }

  /** From the first thing that is written on: what a removal must not take away. */
  async #join(scope: Scope): Promise<void> {
    this.#joined ??= joinWriters(scope, this.#directory);
    await this.#joined;
  }
}
