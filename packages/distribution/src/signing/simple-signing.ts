// The payload of cosign's signatures under tags: "simple signing" (containers-signature(5), cosign's SIGNATURE_SPEC).

import type { Digest } from "@teu/image/digest";

import { isDigestOf, type SignatureClaim, type SignedAnnotations, type SignedImage } from "./claim.ts";
import { StrictJson } from "./strict-json.ts";

/** Media type of a payload. */
export const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Annotation of a payload's descriptor: the signature in base64. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";
/** Largest payload that is read; cosign's has about 250 bytes, annotations come on top. */
export const LARGEST_PAYLOAD: number = 64 << 10;

const TYPE = "cosign container image signature";

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
  const json = new StrictJson("signature payload");
  const document = json.parse(payload, LARGEST_PAYLOAD);
  json.onlyFields(document, "it", ["critical", "optional"]);
  const critical = json.object(document["critical"], "critical");
  json.onlyFields(critical, "critical", ["identity", "image", "type"]);
  const type = json.text(critical["type"], "critical.type");
  if (type !== TYPE) throw json.fault(`critical.type is ${JSON.stringify(type.slice(0, 100))}`);
  const subject = json.object(critical["image"], "critical.image");
  json.onlyFields(subject, "critical.image", ["docker-manifest-digest"]);
  const digest = json.text(subject["docker-manifest-digest"], "docker-manifest-digest");
  if (!isDigestOf(digest, image)) throw json.fault(`it is of another image, ${digest.slice(0, 140)}`);
  const identity = json.object(critical["identity"], "critical.identity");
  json.onlyFields(identity, "critical.identity", ["docker-reference"]);
  const reference = json.text(identity["docker-reference"], "docker-reference");
  const annotations = document["optional"] === null ? {} : json.object(document["optional"], "optional");
  return { type, reference: reference === "" ? null : reference, digest, annotations };
}
