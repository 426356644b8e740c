// An image on a registry as source and as sink of copies.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Reference, referenceText, withDigest } from "@teu/image/reference";
import { parseDigest } from "@teu/image/digest";
import type {
  BlobIdentity,
  BlobOutcome,
  ImageDocument,
  ImageSink,
  ImageSource,
  OpenBlob,
} from "@teu/image/transport/source-and-sink";

import type { ManifestContent } from "./manifest-answer.ts";
import type { RegistryClient } from "./registry-client.ts";

/** The image that a reference stands for. The client is the caller's. */
export function registrySource(client: RegistryClient, reference: Reference): ImageSource {
  let top: ManifestContent | undefined;
  const distrusted = new Set<string>();
  return {
    name: `docker://${referenceText(reference)}`,
    repository: reference,
    resolve: async (scope) => {
      top ??= await client.manifest(scope, reference);
      return top.descriptor;
    },
    document: async (scope, { digest, mediaType, size }) => {
      if (top?.descriptor.digest === digest) return top.bytes;
      const expected = { digest: parseDigest(digest), mediaType, size };
      return (await client.manifest(scope, withDigest(reference, expected.digest), expected)).bytes;
    },
    blob: (scope, blob, offset) =>
      client.download(scope, reference, blob, offset, { original: distrusted.has(blob.digest) }),
    distrust: async (scope, { digest }) => {
      if (distrusted.has(digest) || !(await client.hasMirrors(scope, reference))) return false;
      distrusted.add(digest);
      return true;
    },
    referrers: (scope, digest) => client.referrers(scope, reference, digest),
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * Where an image goes: under the reference's tag, or by digest only, and under further `tags`. What its source has in another
 * repository of the same registry is mounted instead of sent. The client is the caller's.
 */
export function registrySink(client: RegistryClient, reference: Reference, tags: readonly string[] = []): ImageSink {
  return new RegistrySink(client, reference, tags);
}

class RegistrySink implements ImageSink {
  readonly name: string;
  readonly distributes = true;
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #tags: readonly string[];

  constructor(client: RegistryClient, reference: Reference, tags: readonly string[]) {
    this.name = `docker://${referenceText(reference)}`;
    this.#client = client;
    this.#reference = reference;
    this.#tags = tags;
  }

  async putBlob(
    scope: Scope,
    blob: BlobIdentity,
    open: OpenBlob,
    progress: (offset: number) => void,
  ): Promise<BlobOutcome> {
    const from = open.repository;
    const options = { mountFrom: from?.domain === this.#reference.domain ? [from.repository] : [], progress };
    const outcome = await this.#client.pushBlob(scope, this.#reference, blob, open, options);
    return outcome === "uploaded" ? "copied" : outcome;
  }

  putDocument(scope: Scope, document: ImageDocument): Promise<void> {
    return this.#put(scope, document, document.descriptor.digest);
  }

  async finish(scope: Scope, root: ImageDocument): Promise<void> {
    const { tag, digest } = this.#reference;
    if (digest !== undefined && digest !== root.descriptor.digest) {
      throw new TeuError({
        code: "conflict",
        op: "push image",
        subject: this.name,
        message: `the image has digest ${root.descriptor.digest}`,
        hint: "name a tag, or copy all platforms when the digest is an index's",
      });
    }
    // A kill in between leaves some of the names: each one is whole.
    for (const name of new Set([tag ?? root.descriptor.digest, ...this.#tags])) await this.#put(scope, root, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #put(scope: Scope, { descriptor, bytes }: ImageDocument, reference: string): Promise<void> {
    const { mediaType, digest } = descriptor;
    return this.#client.pushManifest(scope, this.#reference, { mediaType, bytes, reference, digest });
  }
}
