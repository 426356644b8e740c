// Tags that belong to a manifest by its digest: cosign's "sha256-HEX.sig" and ".att", and the tag that stands in for referrers
// (distribution-spec, "Referrers Tag Schema"). They are images of their own, and have no meaning without the one they belong to.

import { type Digest, isDigest } from "@teu/image/digest";

/** The digest that a tag belongs to; null for ordinary tags. */
export function digestOfTag(tag: string): Digest | null {
  const match = /^(sha256|sha512)-([a-f0-9]+)(?:\.[A-Za-z0-9._-]+)?$/.exec(tag);
  const digest = `${match?.[1]}:${match?.[2]}`;
  return match !== null && isDigest(digest) ? digest : null;
}
