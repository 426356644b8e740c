// Raw parts of a path become checked names, tags and digests; what is malformed is refused with the code the spec has for it.

import { type Digest, digestAlgorithm, isDigest } from "@teu/image/digest";
import { isRepositoryName, isTag } from "@teu/specs/distribution";

import type { ManifestName } from "./metadata-storage.ts";
import { problem } from "./problem.ts";

/** @throws Problem NAME_INVALID. */
export function checkRepository(text: string): string {
  if (isRepositoryName(text)) return text;
  throw problem(
    400,
    "NAME_INVALID",
    "a name is lower-case letters and digits, joined by single separators, at most 255 characters",
    {
      name: text.slice(0, 300),
    },
  );
}

/** @throws Problem DIGEST_INVALID. */
export function checkDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw problem(400, "DIGEST_INVALID", "malformed digest", { digest: text.slice(0, 300) });
}

/** A digest that content can be checked against here. @throws Problem DIGEST_INVALID. */
export function checkComputableDigest(text: string): Digest {
  const digest = checkDigest(text);
  if (isComputable(digestAlgorithm(digest))) return digest;
  throw problem(400, "DIGEST_INVALID", "digests of this algorithm cannot be verified here; use sha256 or sha512", {
    digest: text,
  });
}

/**
 * Whether content can be checked with this algorithm. Not with blake3, which a registry may have (image-spec, "Registered
 * algorithms"): in JavaScript it takes 16 ms for a megabyte, on the thread that answers everybody.
 */
export function isComputable(algorithm: string): boolean {
  return algorithm === "sha256" || algorithm === "sha512";
}

/** A tag or a digest. @throws Problem DIGEST_INVALID, TAG_INVALID. */
export function checkReference(text: string): ManifestName {
  if (text.includes(":")) return { digest: checkDigest(text) };
  return { tag: checkTag(text) };
}

/** @throws Problem TAG_INVALID. */
export function checkTag(text: string): string {
  if (isTag(text)) return text;
  throw problem(400, "TAG_INVALID", "a tag is 1 to 128 letters, digits, underscores, periods and dashes", {
    tag: text.slice(0, 300),
  });
}
