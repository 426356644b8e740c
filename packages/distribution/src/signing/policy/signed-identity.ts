// Whether the name that a signature claims is one that the policy wants for this image. A signature without a name fits nothing.

import { isTeuError } from "@teu/base/errors";
import { parseReference, type Reference, referenceName } from "@teu/image/reference";

import type { SignedIdentity } from "./policy.ts";

/** Whether a tag or digest is written out: without one, `parseReference` puts Docker's default tag there. */
export function hasTagOrDigest(text: string): boolean {
  return text.includes("@") || text.slice(text.lastIndexOf("/") + 1).includes(":");
}

/** `image`: the name that the image was asked for by; null: it has none, as in a directory. */
export function fitsIdentity(identity: SignedIdentity, image: Reference | null, claimed: string | null): boolean {
  const signed = claimed === null ? null : read(claimed);
  if (claimed === null || signed === null) return false;
  const exact = hasTagOrDigest(claimed);
  switch (identity.type) {
    case "matchRepository":
      return image !== null && sameName(image, signed);
    case "matchExact":
      return image !== null && exact && sameName(image, signed) && sameEnd(image, signed);
    case "matchRepoDigestOrExact":
      return image !== null && exact && fitsDigestOrExact(image, signed);
    case "exactReference": {
      const wanted = parseReference(identity.dockerReference);
      return exact && sameName(wanted, signed) && sameEnd(wanted, signed);
    }
    case "exactRepository":
      return sameName(parseReference(identity.dockerRepository), signed);
    case "remapIdentity": {
      const mapped = image === null ? null : remapped(image, identity.prefix, identity.signedPrefix);
      return mapped !== null && exact && fitsDigestOrExact(mapped, signed);
    }
    default:
      return false;
  }
}

// The digest of what was asked for is compared with the content elsewhere; a signature's tag then says nothing that matters.
function fitsDigestOrExact(image: Reference, signed: Reference): boolean {
  if (!sameName(image, signed)) return false;
  return image.tag === undefined ? image.digest !== undefined : image.tag === signed.tag && signed.digest === undefined;
}

function remapped(image: Reference, prefix: string, signedPrefix: string): Reference | null {
  const name = referenceName(image);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  const { tag, digest } = image;
  const renamed = read(signedPrefix + name.slice(prefix.length));
  if (renamed === null) return null;
  const { domain, repository } = renamed;
  return { domain, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function sameName(one: Reference, other: Reference): boolean {
  return referenceName(one) === referenceName(other);
}

function sameEnd(one: Reference, other: Reference): boolean {
  return one.tag === other.tag && one.digest === other.digest;
}

function read(text: string): Reference | null {
  try {
    return parseReference(text);
  } catch (error) {
    if (isTeuError(error)) return null;
    throw error;
  }
}
