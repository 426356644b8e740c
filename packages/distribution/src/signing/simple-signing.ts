// "Simple signing": what GPG signs of an image (containers-signature(5)), and cosign under tags (its SIGNATURE_SPEC).

import type { Digest } from "@teu/image/digest";

import { isDigestOf, type SignatureClaim, type SignedAnnotations, type SignedImage } from "./claim.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";

/** Media type of a payload. */
export const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Annotation of a payload's descriptor: the signature in base64. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";
/** Largest payload that is read; cosign's has about 250 bytes, annotations come on top. */
export const LARGEST_PAYLOAD: number = 64 << 10;

const TYPE = "cosign container image signature";
/** The type from when there was only one kind. */
const ATOMIC_TYPE = "atomic container signature";

/** The bytes to sign. */
export function simpleSigningPayload(digest: Digest, reference: string, annotations: SignedAnnotations): Buffer {
  const critical = {
    identity: { "docker-reference": reference },
    image: { "docker-manifest-digest": digest },
    type: TYPE,
  };
  // cosign writes null where there are none, and older readers expect it.
  const optional = Object.keys(annotations).length === 0 ? null : annotations;
  return Buffer.from(JSON.stringify({ critical, optional }));
}

/** Reads a payload whose signature was verified. @throws TeuError `invalid` when it is not one, or of another image. */
export function readSimpleSigning(payload: Uint8Array, image: SignedImage): SignatureClaim {
  const { json, critical, optional } = readPayload(payload, TYPE, image);
  return { ...critical, annotations: optional === null ? {} : json.object(optional, "optional") };
}

/** The same of a GPG signature. */
export function readAtomicSigning(payload: Uint8Array, image: SignedImage): SignatureClaim {
  const { json, critical, optional } = readPayload(payload, ATOMIC_TYPE, image);
  const annotations = json.object(optional, "optional");
  const { creator, timestamp } = annotations;
  if (creator !== undefined) json.text(creator, "optional.creator");
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp))
    throw json.fault("optional.timestamp must be a whole number");
  return { ...critical, annotations };
}

interface Payload {
  readonly json: StrictJson;
  readonly critical: Omit<SignatureClaim, "annotations">;
  readonly optional: JsonObject[string];
}

function readPayload(payload: Uint8Array, wanted: string, image: SignedImage): Payload {
  const json = new StrictJson("signature payload");
  const document = json.parse(payload, LARGEST_PAYLOAD);
  json.onlyFields(document, "it", ["critical", "optional"]);
  const critical = json.object(document["critical"], "critical");
  json.onlyFields(critical, "critical", ["identity", "image", "type"]);
  const type = json.text(critical["type"], "critical.type");
  if (type !== wanted) throw json.fault(`critical.type is ${JSON.stringify(type.slice(0, 100))}`);
  const subject = json.object(critical["image"], "critical.image");
  json.onlyFields(subject, "critical.image", ["docker-manifest-digest"]);
  const digest = json.text(subject["docker-manifest-digest"], "docker-manifest-digest");
  if (!isDigestOf(digest, image)) throw json.fault(`it is of another image, ${digest.slice(0, 140)}`);
  const identity = json.object(critical["identity"], "critical.identity");
  json.onlyFields(identity, "critical.identity", ["docker-reference"]);
  const reference = json.text(identity["docker-reference"], "docker-reference");
  return {
    json,
    critical: { type, reference: reference === "" ? null : reference, digest },
    optional: document["optional"],
  };
}
