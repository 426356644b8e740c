// Pushes an image from a content store: `copyImage` to a registry. Blobs several at once, then manifests, each after what it refers to;
// the last one gets the tag. What the registry has is not sent again.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { parseDigest } from "@teu/image/digest";
import { type Reference, referenceText } from "@teu/image/reference";
import { copyImage } from "@teu/image/transport/copy-image";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import { storeSource } from "@teu/image/transport/store-image";
import type { Descriptor } from "@teu/specs/image";

import type { TransferProgress } from "./progress.ts";
import type { RegistryClient } from "./registry-client.ts";
import { registrySink } from "./registry-image.ts";
import type { RepositoryName } from "./repository.ts";

/** What to push, from where, to where. */
export interface PushOptions {
  readonly client: RegistryClient;
  /** Its tag is what the image gets; without one it is pushed by digest only. */
  readonly reference: Reference;
  readonly store: ContentStore;
  /** The index or manifest in the store. */
  readonly descriptor: Descriptor;
  readonly progress?: TransferProgress;
  /** A repository that may have the layers; used when it is on the same registry. */
  readonly mountFrom?: RepositoryName;
}

/** Pushes. @throws TeuError `not-found` when the store lacks a part, `denied`, `exhausted`, `corrupt`, `unavailable`. */
export async function pushImage(scope: Scope, options: PushOptions): Promise<void> {
  const { client, reference, progress } = options;
  await copyImage(scope, {
    source: sourceOf(options),
    sink: registrySink(client, reference),
    platform: "all",
    progress: ({ kind, digest, size, offset }) => {
      if (kind === "started" || kind === "progress") progress?.({ kind, digest, size, offset });
      else progress?.({ kind: kind === "copied" ? "done" : kind, digest, size });
    },
  });
}

function sourceOf({ reference, store, descriptor, mountFrom }: PushOptions): ImageSource {
  const source = storeSource({ name: referenceText(reference), store, resolve: async () => descriptor });
  return {
    ...source,
    ...(mountFrom === undefined ? {} : { repository: mountFrom }),
    document: async (scope, wanted) => {
      if ((await store.info(scope, parseDigest(wanted.digest))) === null) throw missing(reference, wanted.digest);
      return source.document(scope, wanted);
    },
    async *blob(scope, blob, offset, options) {
      if ((await store.info(scope, blob.digest)) === null) throw missing(reference, blob.digest);
      yield* source.blob(scope, blob, offset, options);
    },
  };
}

function missing(reference: Reference, digest: string): TeuError {
  return new TeuError({
    code: "not-found",
    op: "push image",
    subject: referenceText(reference),
    message: `${digest} is not here`,
    hint: "an index can be pushed only with all its platforms: pull all of them first, or push one platform's manifest",
  });
}
