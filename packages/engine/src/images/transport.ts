// Images of this engine as source and sink of copies. A lease keeps what is read or written until the copy has ended.

import type { Scope } from "@teu/base/scope";
import { isIndexType } from "@teu/image/documents";
import { parseReference, type Reference } from "@teu/image/reference";
import type {
  BlobIdentity,
  BlobOutcome,
  ImageDocument,
  ImageSink,
  ImageSource,
  OpenBlob,
} from "@teu/image/transport/source-and-sink";
import { putStoreBlob, putStoreDocument, storeSource } from "@teu/image/transport/store-image";

import type { HeldLease } from "../store/hold-lease.ts";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import { namesOf } from "./pull.ts";
import { registerImage, registerIndex } from "./register.ts";
import { splitIndex } from "./split-index.ts";

/** See `Images.openSource`. */
export async function openSource(scope: Scope, context: ImageContext, ref: string): Promise<ImageSource> {
  const lease = context.hold(scope);
  try {
    const { row, name } = findImage(context.db, ref);
    return storeSource({
      name: `containers:${ref}`,
      store: lease.content,
      resolve: async () => name?.target ?? row.manifest,
      dispose: async () => await lease[Symbol.asyncDispose](),
    });
  } catch (error) {
    await lease[Symbol.asyncDispose]();
    throw error;
  }
}

/** See `Images.openSink`. */
export async function openSink(scope: Scope, context: ImageContext, names: readonly string[]): Promise<ImageSink> {
  // Parsed before anything is transferred.
  const references = names.map(parseReference);
  return new EngineSink(context, context.hold(scope), references, names[0] ?? "");
}

class EngineSink implements ImageSink {
  readonly name: string;
  readonly verifies = true;
  readonly noReferrers = "the store of containers keeps images only";
  readonly #context: ImageContext;
  readonly #lease: HeldLease;
  readonly #references: readonly Reference[];

  constructor(context: ImageContext, lease: HeldLease, references: readonly Reference[], name: string) {
    this.name = `containers:${name}`;
    this.#context = context;
    this.#lease = lease;
    this.#references = references;
  }

  putBlob(scope: Scope, blob: BlobIdentity, open: OpenBlob, progress: (offset: number) => void): Promise<BlobOutcome> {
    return putStoreBlob(scope, this.#lease.content, blob, open, progress);
  }

  putDocument(scope: Scope, document: ImageDocument): Promise<void> {
    return putStoreDocument(scope, this.#lease.content, document);
  }

  /** As after a pull: layers unpacked and verified against the config, the name last. */
  async finish(scope: Scope, root: ImageDocument): Promise<void> {
    await putStoreDocument(scope, this.#lease.content, root);
    const target = root.descriptor;
    const names = [...new Set(this.#references.flatMap((reference) => namesOf(reference, target.digest)))];
    if (!isIndexType(target.mediaType)) {
      await registerImage(scope, this.#context, this.#lease, { manifest: target, names });
      return;
    }
    const { images, indexes, others } = await splitIndex(scope, this.#lease.content, target);
    const blobs = [...indexes, ...others];
    await registerIndex(scope, this.#context, this.#lease, { manifests: images, blobs, target, names });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lease[Symbol.asyncDispose]();
  }
}
