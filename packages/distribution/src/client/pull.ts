// Pulls an image into a content store: `copyImage` from a registry, with what an engine wants beside. Manifests are stored last, so that
// whatever manifest the store has, it has its blobs too. Interrupted blobs go on next time.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { type Digest, parseDigest } from "@teu/image/digest";
import { hostPlatform } from "@teu/image/platform";
import { type Reference, referenceText } from "@teu/image/reference";
import { copyImage, type CopyEvent } from "@teu/image/transport/copy-image";
import type { Image } from "@teu/image/transport/open-image";
import type {
  BlobIdentity,
  ImageDocument,
  ImageSink,
  ImageSource,
  OpenBlob,
} from "@teu/image/transport/source-and-sink";
import { putStoreBlob, putStoreDocument } from "@teu/image/transport/store-image";
import { type Descriptor, DOCUMENT_LIMITS, type Platform } from "@teu/specs/image";

import type { TransferProgress } from "./progress.ts";
import type { RegistryClient } from "./registry-client.ts";
import { registrySource } from "./registry-image.ts";

/** What to pull, from where, to where. */
export interface PullOptions {
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly store: ContentStore;
  /** Of an index, which the store gets in any case: the images for these platforms, default this machine's; "all": everything in it. */
  readonly platform?: Platform | readonly Platform[] | "all";
  readonly progress?: TransferProgress;
  /** Blobs at once. Default 4. */
  readonly concurrency?: number;
  /** The store has what the reference stood for last time: one HEAD shows whether it still does, and costs nothing of a rate limit. */
  readonly isHere?: boolean;
  /**
   * Asked before any blob is, once for each platform: what the reference stands for and, through indexes, the manifest for the platform,
   * with the bytes that will be used. What it throws ends the pull.
   */
  readonly approve?: (scope: Scope, documents: readonly ImageDocument[]) => Promise<void>;
  /** Told once for each image, before any blob is asked for. */
  readonly onImage?: (image: Image) => void;
  /** Told for each blob that the store has, verified, while others are still on their way. */
  readonly onBlob?: (digest: Digest) => void;
}

/** What was pulled. */
export interface PullResult {
  /** What the reference stands for: an index or a manifest. */
  readonly descriptor: Descriptor & { readonly digest: Digest };
  /** The manifest for the platform, of several the first; the same as `descriptor` when that is no index, and with platform "all". */
  readonly manifestDescriptor: Descriptor & { readonly digest: Digest };
  /** Every manifest that was pulled. */
  readonly manifests: readonly (Descriptor & { readonly digest: Digest })[];
}

/** Manifests of one image, all platforms; shared ones count once. */
const MAX_MANIFESTS = 1000;

/**
 * Pulls. Everything in the store was verified.
 * @throws TeuError `not-found` (reference, or no manifest for the platform), `corrupt`, `denied`, `unavailable`, `invalid`, `exhausted`.
 */
export async function pullImage(scope: Scope, options: PullOptions): Promise<PullResult> {
  const { platform = hostPlatform() } = options;
  const images: Image[] = [];
  const { descriptor } = await copyImage(scope, {
    source: sourceOf(options),
    sink: new StoreSink(options),
    maxDocuments: MAX_MANIFESTS,
    platform: platform === "all" ? platform : { sparse: "os" in platform ? [platform] : platform },
    ...(options.approve === undefined ? {} : { approve: options.approve }),
    progress: (event) => tell(options, event),
    onImage: (image) => {
      images.push(image);
      options.onImage?.(image);
    },
  });
  const manifests = images.map(({ document }) => document.descriptor);
  const first = platform === "all" ? undefined : manifests[0];
  return { descriptor, manifestDescriptor: first ?? descriptor, manifests };
}

/** The registry, except for manifests that the store has. */
function sourceOf({ client, reference, store, isHere, progress }: PullOptions): ImageSource {
  const source = registrySource(client, reference);
  return {
    ...source,
    resolve: async (scope) => {
      const found = isHere === true ? await client.resolve(scope, reference) : await source.resolve(scope);
      const { digest, mediaType } = found;
      progress?.({ kind: "resolved", digest: parseDigest(digest), mediaType });
      return found;
    },
    document: async (scope, descriptor) =>
      (await storedDocument(scope, store, descriptor)) ?? source.document(scope, descriptor),
  };
}

class StoreSink implements ImageSink {
  readonly name: string;
  readonly verifies = true;
  readonly concurrency?: number;
  readonly complete: boolean;
  readonly #store: ContentStore;

  constructor({ reference, store, concurrency, platform }: PullOptions) {
    // Of all platforms, some are for passing on only.
    this.complete = platform !== "all";
    this.name = referenceText(reference);
    this.#store = store;
    if (concurrency !== undefined) this.concurrency = concurrency;
  }

  async putBlob(
    scope: Scope,
    blob: BlobIdentity,
    open: OpenBlob,
    progress: (offset: number) => void,
  ): ReturnType<ImageSink["putBlob"]> {
    try {
      return await putStoreBlob(scope, this.#store, blob, open, progress);
    } catch (cause) {
      if (!isTeuError(cause, "corrupt")) throw cause;
      throw new TeuError({
        code: "corrupt",
        op: "pull blob",
        subject: `${this.name} ${blob.digest}`,
        message: "the registry sent other content",
        cause,
        hint: "try again; if it stays so, the registry or something in between is damaged or hostile",
      });
    }
  }

  async putDocument(...[scope, document]: Parameters<ImageSink["putDocument"]>): Promise<void> {
    await putStoreDocument(scope, this.#store, document);
  }

  async finish(...[scope, root]: Parameters<ImageSink["finish"]>): Promise<void> {
    await putStoreDocument(scope, this.#store, root);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function tell({ progress, onBlob }: PullOptions, { kind, digest, size, offset }: CopyEvent): void {
  if (kind === "started" || kind === "progress") return progress?.({ kind, digest, size, offset });
  progress?.({ kind: kind === "copied" ? "done" : kind, digest, size });
  onBlob?.(digest);
}

async function storedDocument(
  scope: Scope,
  store: ContentStore,
  { digest, size }: Descriptor,
): Promise<Uint8Array | null> {
  const wanted = parseDigest(digest);
  if (size > DOCUMENT_LIMITS.manifest || (await store.info(scope, wanted))?.size !== size) return null;
  return store.readAll(scope, wanted, size);
}
