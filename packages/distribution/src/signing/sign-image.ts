// Signs images and indexes on a registry, each by its digest, and puts the signatures beside them: as a bundle that refers to the
// image (cosign 3), or as one more payload under cosign 2's tag.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestOf, parseDigest } from "@teu/image/digest";
import { isIndexType } from "@teu/image/documents";
import { isDocumentType } from "@teu/image/transport/open-image";
import { type Reference, referenceName, referenceText, withDigest, withTag } from "@teu/image/reference";
import {
  type Descriptor,
  EMPTY_DESCRIPTOR,
  type ImageManifest,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";
import { parseJson } from "@teu/specs/json";
import { decodeUtf8 } from "@teu/base/utf8";

import type { RegistryClient } from "../client/registry-client.ts";
import { BUNDLE, writeBundle } from "./bundle.ts";
import type { SignedImage } from "./claim.ts";
import { findSignatures, MOST_SIGNATURES, signatureLayers } from "./find-signatures.ts";
import type { PrivateKey } from "./private-key.ts";
import { registryPlace, signatureTag } from "./signature-place.ts";
import { signingError } from "./signing-error.ts";
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING, simpleSigningPayload } from "./simple-signing.ts";
import { SIGN_PREDICATE, signStatement } from "./statement.ts";
import { trustInKeys, verifySignatures } from "./verify-image.ts";

/** Where a signature goes: a bundle that refers to the image, or a payload under cosign's tag. */
export type SignatureFormat = "bundle" | "tag";

/** What to sign, with what, and how. */
export interface SignOptions {
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly key: PrivateKey;
  readonly format: SignatureFormat;
  readonly annotations: Readonly<Record<string, string>>;
  /** The name that the signature says the image has. Default: its repository. */
  readonly identity?: string;
  /** Of an index also everything in it. */
  readonly recursive: boolean;
  /** For the bundle's annotations. */
  readonly now: Date;
}

/** One signed image or index. */
export interface SignedResult {
  readonly digest: Digest;
  /** False: this key has signed it so before, and nothing was written. */
  readonly added: boolean;
  /** The manifest that holds the signature: by digest, or under cosign's tag. */
  readonly signature: string;
}

/** An index with more parts than this is nobody's. */
const MOST_DOCUMENTS = 1000;
const LARGEST_CONFIG = 1 << 20;

/** Signs. @throws TeuError `not-found`, `denied`, `exhausted`, `unsupported` for digests that have no tag. */
export async function signImage(scope: Scope, options: SignOptions): Promise<SignedResult[]> {
  const { client, reference } = options;
  const documents: SignedImage[] = [await client.manifest(scope, reference)];
  if (options.recursive) await addParts(scope, options, documents);
  const results: SignedResult[] = [];
  // Parts first: an index whose signature is there has all others, too.
  for (const image of documents.toReversed()) results.push(await signOne(scope, options, image));
  return results.toReversed();
}

async function addParts(scope: Scope, { client, reference }: SignOptions, documents: SignedImage[]): Promise<void> {
  const seen = new Set<string>(documents.map(({ descriptor }) => descriptor.digest));
  for (let at = 0; at < documents.length; at++) {
    const document = documents[at];
    if (document === undefined || !isIndexType(document.descriptor.mediaType)) continue;
    for (const { digest, mediaType, size } of parseIndex(document.bytes).manifests) {
      if (seen.has(digest) || !isDocumentType(mediaType)) continue;
      seen.add(digest);
      if (seen.size > MOST_DOCUMENTS)
        throw signingError("exhausted", "sign image", `more than ${MOST_DOCUMENTS} manifests`, {
          subject: referenceText(reference),
        });
      const expected = { digest: parseDigest(digest), mediaType, size };
      documents.push(await client.manifest(scope, withDigest(reference, expected.digest), expected));
    }
  }
}

async function signOne(scope: Scope, options: SignOptions, image: SignedImage): Promise<SignedResult> {
  const { digest } = image.descriptor;
  const present = await earlierSignature(scope, options, image);
  if (present !== null) return { digest, added: false, signature: present };
  const signature = await (options.format === "bundle" ? attachBundle : attachUnderTag)(scope, options, image);
  return { digest, added: true, signature };
}

// A signature of the same content by the same key; a second one would say nothing new.
async function earlierSignature(scope: Scope, options: SignOptions, image: SignedImage): Promise<string | null> {
  const { client, reference, key, format, annotations } = options;
  const found = await findSignatures(scope, registryPlace(client, reference), image.descriptor.digest);
  const wanted = JSON.stringify([identityOf(options), sorted(annotations)]);
  const { accepted } = await verifySignatures(found, image, trustInKeys([key.publicKey]), (claim) =>
    JSON.stringify([claim.reference, sorted(claim.annotations)]) === wanted ? null : "it says something else",
  );
  return accepted.find((one) => one.format === format)?.name ?? null;
}

function sorted(annotations: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(annotations).toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function identityOf({ identity, reference }: SignOptions): string {
  return identity ?? referenceName(reference);
}

async function attachBundle(scope: Scope, options: SignOptions, image: SignedImage): Promise<string> {
  const { digest, mediaType, size } = image.descriptor;
  const statement = signStatement(digest, identityOf(options), options.annotations);
  const bundle = writeBundle(statement, options.key);
  const layer = { mediaType: BUNDLE, digest: digestOf(bundle), size: bundle.length };
  const { data: _, ...config } = EMPTY_DESCRIPTOR;
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: BUNDLE,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": SIGN_PREDICATE,
      "org.opencontainers.image.created": options.now.toISOString(),
    },
  };
  await pushBytes(scope, options, layer, bundle);
  await pushBytes(scope, options, config, Buffer.from("{}"));
  return pushManifest(scope, options, Buffer.from(JSON.stringify(manifest)));
}

async function attachUnderTag(scope: Scope, options: SignOptions, image: SignedImage): Promise<string> {
  const { digest } = image.descriptor;
  const tag = signatureTag(digest);
  if (tag === null)
    throw signingError("unsupported", "sign image", `${digest} is too long for cosign's tag`, {
      hint: "leave --output-format out: bundles need no tag",
    });
  const payload = simpleSigningPayload(digest, identityOf(options), options.annotations);
  const layer: Descriptor = {
    mediaType: SIMPLE_SIGNING,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [SIGNATURE_ANNOTATION]: options.key.sign(payload).toString("base64") },
  };
  const earlier = await earlierManifest(scope, options, tag);
  const layers = [...(earlier?.layers ?? []), layer];
  if (layers.length > MOST_SIGNATURES)
    throw signingError("exhausted", "sign image", `it has ${layers.length - 1} signatures already`, {
      subject: referenceText(options.reference),
    });
  const configBytes = await signatureConfig(scope, options, earlier, layers);
  const config = { mediaType: MEDIA_TYPES.config, digest: digestOf(configBytes), size: configBytes.length };
  await pushBytes(scope, options, layer, payload);
  await pushBytes(scope, options, config, configBytes);
  const manifest = { ...earlier, schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config, layers };
  return pushManifest(scope, options, Buffer.from(JSON.stringify(manifest)), tag);
}

async function earlierManifest(
  scope: Scope,
  { client, reference }: SignOptions,
  tag: string,
): Promise<ImageManifest | null> {
  try {
    const { bytes, descriptor } = await client.manifest(scope, withTag(reference, tag));
    const manifest = parseManifest(bytes);
    if (descriptor.mediaType === MEDIA_TYPES.manifest && signatureLayers(manifest).length === manifest.layers.length)
      return manifest;
    throw signingError("conflict", "sign image", `the tag ${tag} is taken by something that is no signature`, {
      subject: referenceText(reference),
    });
  } catch (error) {
    if (isTeuError(error, "not-found")) return null;
    throw error;
  }
}

// cosign and skopeo read it as the config of an image, whose layers are the payloads.
async function signatureConfig(
  scope: Scope,
  { client, reference }: SignOptions,
  earlier: ImageManifest | null,
  layers: readonly Descriptor[],
): Promise<Buffer> {
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  if (earlier === null) return Buffer.from(JSON.stringify({ architecture: "", os: "", config: {}, rootfs }));
  const bytes = await client.blobBytes(scope, reference, earlier.config, LARGEST_CONFIG);
  const config = parseJson(decodeUtf8(bytes), { document: "config of signatures", maxLength: LARGEST_CONFIG });
  if (typeof config === "object" && config !== null && !Array.isArray(config))
    return Buffer.from(JSON.stringify({ ...config, rootfs }));
  throw new TeuError({ code: "invalid", op: "read config of signatures", message: "it is not an object" });
}

function pushBytes(
  scope: Scope,
  { client, reference }: SignOptions,
  descriptor: { readonly digest: string; readonly size: number },
  bytes: Uint8Array,
): Promise<unknown> {
  return client.pushBlob(scope, reference, descriptor, async function* (offset) {
    yield bytes.subarray(offset);
  });
}

async function pushManifest(scope: Scope, options: SignOptions, bytes: Buffer, tag?: string): Promise<string> {
  const reference = tag ?? digestOf(bytes);
  await options.client.pushManifest(scope, options.reference, { mediaType: MEDIA_TYPES.manifest, bytes, reference });
  return reference;
}
