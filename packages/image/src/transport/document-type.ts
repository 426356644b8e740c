// Which kind of document some bytes are, where nothing outside says it: files in a directory, what a user hands over.

import { TeuError } from "@teu/base/errors";
import { decodeUtf8 } from "@teu/base/utf8";
import { DOCUMENT_LIMITS, MEDIA_TYPES, parseIndex, parseManifest } from "@teu/specs/image";
import { parseJson } from "@teu/specs/json";

import { isIndexType, isManifestType } from "../documents.ts";

/**
 * The media type that a manifest or index has by its own word, or by its form where it says nothing.
 * @throws TeuError `invalid` when it is neither, or could be both (CVE-2021-41190); `unsupported` for other types.
 */
export function documentType(subject: string, bytes: Uint8Array): string {
  const value = parseJson(decodeUtf8(bytes), { document: "manifest", maxLength: DOCUMENT_LIMITS.manifest });
  const fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const looksLikeIndex = Array.isArray(fields["manifests"]);
  const own = fields["mediaType"];
  const type = typeof own === "string" && own !== "" ? own : looksLikeIndex ? MEDIA_TYPES.index : MEDIA_TYPES.manifest;
  if (isIndexType(type)) parseIndex(bytes);
  else if (isManifestType(type)) parseManifest(bytes);
  else
    throw new TeuError({
      code: "unsupported",
      op: "read image",
      subject,
      message: `it is ${JSON.stringify(type.slice(0, 200))}`,
      hint: "OCI images and indexes and Docker's schema 2 are understood",
    });
  return type;
}
