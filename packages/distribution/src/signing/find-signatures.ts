// All signatures of an image in one place, unverified: cosign's tag first, then referrers, then cosign's in files. A signature that
// cannot be read is found, too, with what is wrong, so that it neither counts nor hides the others; a place that cannot be reached is
// an error.

import { isTeuError, type ErrorCode, type TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { type Descriptor, type ImageManifest, MEDIA_TYPES, parseManifest } from "@teu/specs/image";

import { isBundleType, LARGEST_BUNDLE } from "./bundle.ts";
import { LARGEST_GPG_SIGNATURE } from "./gpg/limits.ts";
import { keptSignatures } from "./kept-signatures.ts";
import type { SignaturePlace } from "./signature-place.ts";
import { signingError } from "./signing-error.ts";
import { LARGEST_PAYLOAD, SIGNATURE_ANNOTATION, SIMPLE_SIGNING } from "./simple-signing.ts";
import { SIGN_PREDICATE } from "./statement.ts";
import { StrictJson } from "./strict-json.ts";

/** A signature as it was found. `name`: how errors call it. */
export type FoundSignature =
  | {
      readonly format: "tag";
      readonly name: string;
      readonly payload: Uint8Array;
      /** In base64. */
      readonly signature: string;
      /** Of the payload's descriptor: certificate, log entry. */
      readonly annotations: Readonly<Record<string, string>>;
    }
  | { readonly format: "bundle"; readonly name: string; readonly bytes: Uint8Array }
  | { readonly format: "unreadable"; readonly name: string; readonly fault: TeuError };

/** Signatures of one image that are looked at, of each kind; more are an attack on whoever verifies. */
export const MOST_SIGNATURES = 100;
const LARGEST_MANIFEST = 256 << 10;
/** Artifact type of cosign 2's signatures when they are referrers (an experiment of that version). */
const SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json";
const PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType";
/** Faults of one signature, not of the place. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(["invalid", "corrupt", "exhausted", "not-found", "unsupported"]);

/** @throws TeuError `exhausted` for too many, `unavailable` and the like when the place cannot be asked. */
export async function findSignatures(scope: Scope, place: SignaturePlace, image: Digest): Promise<FoundSignature[]> {
  const found: FoundSignature[] = [];
  await attempt(found, "the signatures under the image's tag", async () => {
    const bytes = await place.tagged(scope, image);
    if (bytes !== null) found.push(...(await payloadsOf(scope, place, readManifest(bytes))));
  });
  const referrers = (await place.referrers(scope, image)).filter(isSignature);
  if (referrers.length > MOST_SIGNATURES) throw tooMany(image, referrers.length);
  for (const referrer of referrers) {
    await attempt(found, referrer.digest, async () => {
      found.push(...(await ofReferrer(scope, place, image, referrer)));
    });
  }
  if (place.keepsSigstore) {
    for (const kept of await keptSignatures(scope, place, image)) {
      await attempt(found, kept.name, async () => {
        if (kept.format === "unreadable") throw kept.fault;
        if (kept.format === "sigstore-json") found.push(...ofFile(kept.name, kept.bytes));
      });
    }
  }
  if (found.length > 2 * MOST_SIGNATURES) throw tooMany(image, found.length);
  return found;
}

/** The parts of cosign's manifest that are signatures, in order. */
export function signatureLayers(manifest: ImageManifest): readonly Descriptor[] {
  return manifest.layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING);
}

async function payloadsOf(scope: Scope, place: SignaturePlace, manifest: ImageManifest): Promise<FoundSignature[]> {
  const layers = signatureLayers(manifest);
  if (layers.length > MOST_SIGNATURES) throw tooMany(manifest.subject?.digest, layers.length);
  const found: FoundSignature[] = [];
  // Signatures of several keys share a payload.
  const payloads = new Map<string, Promise<Uint8Array>>();
  for (const layer of layers) {
    await attempt(found, layer.digest, async () => {
      const annotations = layer.annotations ?? {};
      const signature = annotations[SIGNATURE_ANNOTATION];
      if (signature === undefined) throw signingError("invalid", "read signature", `it has no ${SIGNATURE_ANNOTATION}`);
      const payload = payloads.get(layer.digest) ?? place.blob(scope, layer, LARGEST_PAYLOAD);
      payloads.set(layer.digest, payload);
      found.push({ format: "tag", name: layer.digest, payload: await payload, signature, annotations });
    });
  }
  return found;
}

async function ofReferrer(
  scope: Scope,
  place: SignaturePlace,
  image: Digest,
  referrer: Descriptor,
): Promise<FoundSignature[]> {
  if (referrer.size > LARGEST_MANIFEST) throw tooLarge(referrer.size, LARGEST_MANIFEST);
  const manifest = readManifest(await place.manifest(scope, referrer));
  if (manifest.subject?.digest !== image) throw signingError("invalid", "read signature", "it is of another image");
  if (!isBundleType(manifest.artifactType)) return payloadsOf(scope, place, manifest);
  if (isOfAnotherKind(manifest.annotations)) return [];
  const [layer, ...others] = manifest.layers;
  if (layer === undefined || others.length > 0 || !isBundleType(layer.mediaType))
    throw signingError("invalid", "read signature", "its manifest does not have one bundle");
  const bytes = await place.blob(scope, layer, LARGEST_BUNDLE);
  return [{ format: "bundle", name: referrer.digest, bytes }];
}

// As containers/image writes what it has read under a tag; what is of another type is no signature of an image.
function ofFile(name: string, bytes: Uint8Array): FoundSignature[] {
  const json = new StrictJson("signature");
  const document = json.parse(bytes, LARGEST_GPG_SIGNATURE);
  json.onlyFields(document, "it", ["mimeType", "payload", "annotations"]);
  if (json.text(document["mimeType"], "mimeType") !== SIMPLE_SIGNING) return [];
  const payload = json.base64(document["payload"], "payload");
  const given = json.object(document["annotations"], "annotations");
  const annotations = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      json.text(value, `annotation ${JSON.stringify(key.slice(0, 100))}`),
    ]),
  );
  const signature = json.text(annotations[SIGNATURE_ANNOTATION], SIGNATURE_ANNOTATION);
  return [{ format: "tag", name, payload, signature, annotations }];
}

// Attestations are bundles, too, and may be large: what calls itself one is not fetched.
function isSignature({ mediaType, artifactType, annotations }: Descriptor): boolean {
  if (mediaType !== MEDIA_TYPES.manifest) return false;
  return artifactType === SIGNATURE_ARTIFACT || (isBundleType(artifactType) && !isOfAnotherKind(annotations));
}

function isOfAnotherKind(annotations: Readonly<Record<string, string>> | undefined): boolean {
  const predicate = annotations?.[PREDICATE_ANNOTATION];
  return predicate !== undefined && predicate !== SIGN_PREDICATE;
}

function readManifest(bytes: Uint8Array): ImageManifest {
  if (bytes.length > LARGEST_MANIFEST) throw tooLarge(bytes.length, LARGEST_MANIFEST);
  return parseManifest(bytes);
}

async function attempt(found: FoundSignature[], name: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (fault) {
    if (!isTeuError(fault) || !OWN_FAULTS.has(fault.code) || fault.detail["tooMany"] === true) throw fault;
    found.push({ format: "unreadable", name, fault });
  }
}

function tooLarge(size: number, limit: number): TeuError {
  return signingError("exhausted", "read signature", `${size} bytes, limit is ${limit}`);
}

function tooMany(image: string | undefined, count: number): TeuError {
  return signingError("exhausted", "look for signatures", `${count} signatures, limit is ${MOST_SIGNATURES}`, {
    ...(image === undefined ? {} : { subject: image }),
    detail: { tooMany: true },
  });
}
