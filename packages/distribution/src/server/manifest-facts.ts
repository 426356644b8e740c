// Takes a pushed manifest apart into what the index stores. The bytes stay what they are: digest and media type name them.
// Refuses documents with two readings (CVE-2021-41190): the declared type must be the one inside, and the shape must fit it.

import { isTeuError } from "@teu/base/errors";
import { type Digest, digestAlgorithm, digestOf, parseDigest } from "@teu/image/digest";
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";

import type { ManifestReference, NewManifest } from "./metadata-storage.ts";
import { isComputable } from "./names.ts";
import { problem, type Problem } from "./problem.ts";

const MANIFESTS: ReadonlySet<string> = new Set([MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest]);
const INDEXES: ReadonlySet<string> = new Set([MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList]);

/** Layers that a registry need not have: they are fetched from elsewhere, or were not to be distributed. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  MEDIA_TYPES.layerNondistributable,
  MEDIA_TYPES.layerNondistributableGzip,
  MEDIA_TYPES.layerNondistributableZstd,
  MEDIA_TYPES.dockerForeignLayer,
  MEDIA_TYPES.dockerForeignLayerGzip,
]);

/** What goes with the bytes. */
export interface ManifestInput {
  readonly bytes: Uint8Array;
  /** The Content-Type header. */
  readonly contentType: string | undefined;
  /** The digest it was pushed by; absent when pushed by tag. */
  readonly digest?: Digest;
  /** Whether layers and platforms may be missing. */
  readonly sparse: boolean;
}

/** @throws Problem MANIFEST_INVALID, DIGEST_INVALID, or 415 for a type that is not stored here. */
export function manifestFacts(input: ManifestInput): NewManifest {
  const { bytes } = input;
  const digest = digestOf(bytes, algorithmOf(input.digest));
  if (input.digest !== undefined && input.digest !== digest) {
    throw problem(400, "DIGEST_INVALID", "the manifest does not have this digest", {
      expected: input.digest,
      actual: digest,
    });
  }
  const mediaType = mediaTypeOf(input.contentType);
  const body = MANIFESTS.has(mediaType) ? parsed(() => parseManifest(bytes)) : parsed(() => parseIndex(bytes));
  if (body.mediaType !== undefined && body.mediaType !== mediaType) {
    throw invalid("Content-Type and mediaType differ", { contentType: mediaType, mediaType: body.mediaType });
  }
  const isImage = "layers" in body;
  const artifactType = body.artifactType ?? (isImage ? body.config.mediaType : undefined);
  return {
    digest,
    mediaType,
    bytes,
    references: isImage ? imageReferences(body, input.sparse) : indexReferences(body, input.sparse),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(body.annotations === undefined ? {} : { annotations: body.annotations }),
    ...(body.subject === undefined ? {} : { subject: parseDigest(body.subject.digest) }),
  };
}

// Media types are case-insensitive and may have parameters; what is stored has neither variant.
function mediaTypeOf(contentType: string | undefined): string {
  const mediaType = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (MANIFESTS.has(mediaType) || INDEXES.has(mediaType)) return mediaType;
  throw problem(415, "MANIFEST_INVALID", "Content-Type is no manifest type that is stored here", {
    contentType: mediaType.slice(0, 200),
    stored: [...MANIFESTS, ...INDEXES],
  });
}

function algorithmOf(digest: Digest | undefined): "sha256" | "sha512" {
  return digest !== undefined && digestAlgorithm(digest) === "sha512" ? "sha512" : "sha256";
}

function imageReferences(body: ImageManifest, sparse: boolean): ManifestReference[] {
  const layers = body.layers.map((layer) => reference("layer", layer, !sparse && !ELSEWHERE.has(layer.mediaType)));
  return [reference("config", body.config, !sparse), ...layers];
}

function indexReferences(body: ImageIndex, sparse: boolean): ManifestReference[] {
  return body.manifests.map((child) => reference("manifest", child, !sparse));
}

function reference(kind: ManifestReference["kind"], descriptor: Descriptor, required: boolean): ManifestReference {
  const digest = parseDigest(descriptor.digest);
  checkData(descriptor, digest);
  return { kind, digest, size: descriptor.size, required };
}

// Embedded content that is not what its descriptor says would be believed by whoever saves the request for the blob.
function checkData(descriptor: Descriptor, digest: Digest): void {
  const { data } = descriptor;
  if (data === undefined) return;
  const content = Buffer.from(data, "base64");
  const algorithm = digestAlgorithm(digest);
  const matches =
    content.length === descriptor.size &&
    (!isComputable(algorithm) || digestOf(content, algorithmOf(digest)) === digest);
  if (!matches) throw invalid("embedded data does not fit its descriptor", { digest });
}

function parsed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isTeuError(error, "invalid")) throw invalid(error.what, error.detail);
    throw error;
  }
}

function invalid(message: string, detail: unknown): Problem {
  return problem(400, "MANIFEST_INVALID", message, detail);
}
