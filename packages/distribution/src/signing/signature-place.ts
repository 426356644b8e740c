// Where the signatures of an image are looked for: beside it on its registry, or what refers to it in a layout or archive; and those
// that are kept apart from it, with a lookaside server or in a directory.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestAlgorithm, digestEncoded, parseDigest } from "@teu/image/digest";
import { isTag, type Reference, withDigest, withTag } from "@teu/image/reference";
import { openDocument, readBlob } from "@teu/image/transport/open-image";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import { collectBytes } from "@teu/image/verified-stream";
import type { Descriptor } from "@teu/specs/image";

import type { RegistryClient } from "../client/registry-client.ts";
import type { LookasideFiles } from "./lookaside/lookaside-files.ts";
import type { Lookaside } from "./lookaside/lookaside.ts";

/** A place that may have signatures. What its methods give is verified against its descriptor, and not believed otherwise. */
export interface SignaturePlace {
  /** The manifest under cosign's tag for the image; null: there is none, or tags mean nothing here. */
  tagged(scope: Scope, image: Digest): Promise<Uint8Array | null>;
  /** What has the image as its subject. */
  referrers(scope: Scope, image: Digest): Promise<readonly Descriptor[]>;
  manifest(scope: Scope, descriptor: Descriptor): Promise<Uint8Array>;
  blob(scope: Scope, descriptor: Descriptor, limit: number): Promise<Uint8Array>;
  /** Signature `number`, from 1, of those that are kept in files; null: no more. @throws TeuError `exhausted` for a larger one. */
  kept(scope: Scope, image: Digest, number: number, limit: number): Promise<Uint8Array | null>;
  /** Whether cosign's are among those, and not only GPG's: registries keep cosign's themselves. */
  readonly keepsSigstore: boolean;
}

/** cosign's tag for the signatures of a digest; null for digests that are too long for a tag. */
export function signatureTag(image: Digest): string | null {
  const tag = `${digestAlgorithm(image)}-${digestEncoded(image)}.sig`;
  return isTag(tag) ? tag : null;
}

/** The registry that a reference leads to. `lookaside`: where signatures are that it does not keep; absent: nowhere. */
export function registryPlace(
  client: RegistryClient,
  reference: Reference,
  lookaside?: LookasideFiles,
): SignaturePlace {
  let opening: Promise<Lookaside> | undefined;
  return {
    tagged: async (scope, image) => {
      const tag = signatureTag(image);
      if (tag === null) return null;
      try {
        return (await client.manifest(scope, withTag(reference, tag))).bytes;
      } catch (error) {
        if (isTeuError(error, "not-found")) return null;
        throw error;
      }
    },
    referrers: (scope, image) => client.referrers(scope, reference, image),
    manifest: async (scope, { digest, mediaType, size }) => {
      const expected = { digest: parseDigest(digest), mediaType, size };
      return (await client.manifest(scope, withDigest(reference, expected.digest), expected)).bytes;
    },
    blob: (scope, descriptor, limit) => client.blobBytes(scope, reference, descriptor, limit),
    keepsSigstore: false,
    kept: async (scope, image, number, limit) => {
      if (lookaside === undefined) return null;
      // Few policies ask for it.
      const { openLookaside } = await import("./lookaside/lookaside.ts");
      const signature = await (opening ??= openLookaside(client, reference, lookaside));
      return signature(scope, image, number, limit);
    },
  };
}

/** What a copy reads from. */
export function sourcePlace(source: ImageSource): SignaturePlace {
  return {
    tagged: async () => null,
    referrers: async (scope, image) => (await source.referrers?.(scope, image)) ?? [],
    manifest: async (scope, descriptor) => (await openDocument(scope, source, descriptor)).document.bytes,
    blob: (scope, { digest, size }, limit) =>
      collectBytes(readBlob(scope, source, { digest: parseDigest(digest), size }), limit),
    keepsSigstore: source.signature !== undefined,
    kept: async (scope, image, number, limit) => (await source.signature?.(scope, image, number, limit)) ?? null,
  };
}
