// What a manifest refers to, and how a list of referrers describes it (distribution-spec, "Listing Referrers").

import { type Digest, parseDigest } from "@teu/image/digest";
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";

/** The digest of a manifest's subject; null when it has none, or is no manifest of OCI. @throws TeuError `invalid`. */
export function subjectIn(mediaType: string, bytes: Uint8Array): Digest | null {
  const subject = bodyOf(mediaType, bytes)?.subject;
  return subject === undefined ? null : parseDigest(subject.digest);
}

/** The subject, and the entry of its list for the manifest of this digest; null as `subjectIn`. @throws TeuError `invalid`. */
export function referrerOf(
  mediaType: string,
  bytes: Uint8Array,
  digest: Digest,
): { readonly subject: Digest; readonly descriptor: Descriptor } | null {
  const body = bodyOf(mediaType, bytes);
  if (body?.subject === undefined) return null;
  const artifactType = body.artifactType ?? ("config" in body ? body.config.mediaType : undefined);
  return {
    subject: parseDigest(body.subject.digest),
    descriptor: {
      mediaType,
      digest,
      size: bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(body.annotations === undefined ? {} : { annotations: body.annotations }),
    },
  };
}

function bodyOf(mediaType: string, bytes: Uint8Array): ImageManifest | ImageIndex | null {
  if (mediaType === MEDIA_TYPES.manifest) return parseManifest(bytes);
  return mediaType === MEDIA_TYPES.index ? parseIndex(bytes) : null;
}
