// What a signature says once it is verified, and the image that it has to speak of.

import { type Digest, digestAlgorithm, digestOf, isDigest } from "@teu/image/digest";
import type { ImageDocument } from "@teu/image/transport/source-and-sink";

/** Annotations of a signer: any JSON, usually texts. */
export type SignedAnnotations = Readonly<Record<string, unknown>>;

/** The content of a verified signature. */
export interface SignatureClaim {
  /** "cosign container image signature", or the predicate type of a statement. */
  readonly type: string;
  /** The image's name as the signer gave it; null: the format has none, or the signer left it out. */
  readonly reference: string | null;
  readonly digest: Digest;
  readonly annotations: SignedAnnotations;
}

/** The image or index that is to be signed by somebody: its bytes decide, whatever name led to it. */
export type SignedImage = ImageDocument;

/** Whether a digest, of whatever algorithm it is, is that of the image's bytes. */
export function isDigestOf(text: string, image: SignedImage): text is Digest {
  if (!isDigest(text)) return false;
  const algorithm = digestAlgorithm(text);
  return (algorithm === "sha256" || algorithm === "sha512") && digestOf(image.bytes, algorithm) === text;
}

/** Whether a signer's annotations hold all of these. */
export function hasAnnotations(claim: SignatureClaim, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(claim.annotations, name) && claim.annotations[name] === value,
  );
}
