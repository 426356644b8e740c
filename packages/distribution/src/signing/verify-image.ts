// Whether an image is signed by somebody who is trusted: every signature that is found is tried, and each that counts for nothing has
// a reason. The signature is verified before anything that it says is read.

import { isTeuError, type TeuError } from "@teu/base/errors";

import { loggedContent, notByKey, readBundle, verifyBundle } from "./bundle.ts";
import { verifyBundleEntries } from "./bundle-log-entry.ts";
import type { SignatureClaim, SignedImage } from "./claim.ts";
import type { GpgSignature } from "./find-gpg-signatures.ts";
import type { FoundSignature } from "./find-signatures.ts";
import type { PublicKey } from "./public-key.ts";
import { LOG_ANNOTATION, verifyLogEntry } from "./rekor-entry.ts";
import { signingError } from "./signing-error.ts";
import { readSimpleSigning } from "./simple-signing.ts";

/** Whom to trust, about signatures of one kind. `Claim`: or the promise of one. */
export interface SignatureTrust<Found = FoundSignature, Claim = SignatureClaim> {
  /** What a signature says of the image. @throws TeuError when it is not to be trusted, or says nothing about this image. */
  verify(found: Found, image: SignedImage): Claim;
}

/** A signature that counts. */
export interface AcceptedSignature {
  readonly format: "tag" | "bundle" | "gpg";
  readonly name: string;
  readonly claim: SignatureClaim;
}

/** A signature that does not, and why. */
export interface RejectedSignature {
  readonly name: string;
  readonly reason: TeuError;
}

/** What became of the signatures of an image. */
export interface Verification {
  readonly accepted: readonly AcceptedSignature[];
  readonly rejected: readonly RejectedSignature[];
}

/**
 * Tries all signatures. `accept` may ask for more of a claim: it returns what is missing, or null.
 */
export async function verifySignatures<Found extends FoundSignature | GpgSignature>(
  found: readonly Found[],
  image: SignedImage,
  trust: SignatureTrust<Found, SignatureClaim | Promise<SignatureClaim>>,
  accept: (claim: SignatureClaim) => string | null,
): Promise<Verification> {
  const accepted: AcceptedSignature[] = [];
  const rejected: RejectedSignature[] = [];
  for (const one of found) {
    try {
      if (one.format === "unreadable") throw one.fault;
      const claim = await trust.verify(one, image);
      const missing = accept(claim);
      if (missing !== null) throw signingError("denied", "accept signature", missing);
      accepted.push({ format: one.format, name: one.name, claim });
    } catch (reason) {
      if (!isTeuError(reason)) throw reason;
      rejected.push({ name: one.name, reason });
    }
  }
  return { accepted, rejected };
}

/** Trust in keys, any of them. With `logs`, only in signatures that one of these transparency logs has recorded. */
export function trustInKeys(keys: readonly PublicKey[], logs: readonly PublicKey[] | null = null): SignatureTrust {
  const verify = (found: FoundSignature, image: SignedImage): SignatureClaim => {
    if (found.format === "unreadable") throw found.fault;
    let reason: unknown = notByKey();
    for (const key of keys) {
      try {
        return verifyByKey(found, image, key, logs);
      } catch (error) {
        // What is wrong with a signature of one key says more than that it is not of another.
        if (!isTeuError(error) || error.detail["otherKey"] !== true) reason = error;
      }
    }
    throw reason;
  };
  return { verify };
}

function verifyByKey(
  found: Exclude<FoundSignature, { format: "unreadable" }>,
  image: SignedImage,
  key: PublicKey,
  logs: readonly PublicKey[] | null,
): SignatureClaim {
  if (found.format === "bundle") {
    const bundle = readBundle(found.bytes);
    const claim = verifyBundle(bundle, key, image);
    if (logs !== null) verifyBundleEntries(bundle.document, logs, { ...loggedContent(bundle.content, image), key });
    return claim;
  }
  const signature = Buffer.from(found.signature, "base64");
  if (signature.toString("base64") !== found.signature)
    throw signingError("invalid", "read signature", "the signature is not base64");
  if (!key.verifies(found.payload, signature)) throw notByKey();
  if (logs !== null) {
    const entry = found.annotations[LOG_ANNOTATION];
    if (entry === undefined) throw signingError("denied", "verify log entry", "the signature has none");
    verifyLogEntry(entry, logs, { payload: found.payload, signature, key });
  }
  return readSimpleSigning(found.payload, image);
}
