// Turns a registry's answer to a manifest request into a descriptor and verified bytes (image-spec, "Verification" and the rules on
// differing media types: with a verified digest the expected type counts; without a digest a difference is an error).

import { isTeuError, TeuError } from "@teu/base/errors";
import { algorithmFor, type Digest, digestOf, isDigest } from "@teu/image/digest";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";

import { CONTENT_DIGEST } from "../wire/headers.ts";
import type { HttpResponse } from "./http-transport.ts";

/** Types that are asked for, the ones of OCI first. */
export const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPES.index,
  MEDIA_TYPES.manifest,
  MEDIA_TYPES.dockerManifestList,
  MEDIA_TYPES.dockerManifest,
];

/** A manifest or index with its verified bytes. */
export interface ManifestContent {
  readonly descriptor: Descriptor & { readonly digest: Digest };
  readonly bytes: Uint8Array;
}

/** What is known beforehand. */
export interface ManifestExpectation {
  readonly digest?: Digest;
  readonly mediaType?: string;
  readonly size?: number;
}

/** @throws TeuError `corrupt` when digest or size differ, `invalid` when type and content contradict each other. */
export function manifestContent(
  subject: string,
  response: HttpResponse,
  bytes: Uint8Array,
  expected: ManifestExpectation,
): ManifestContent {
  if (expected.size !== undefined && expected.size !== bytes.length) {
    throw wrong("corrupt", subject, `${bytes.length} bytes instead of the ${expected.size} declared`);
  }
  const digest = checkedDigest(subject, response, bytes, expected.digest);
  const mediaType = expected.mediaType ?? mediaTypeOf(subject, response, bytes);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** A descriptor from the head of an answer alone; null when the registry does not say enough. */
export function manifestHead(
  response: HttpResponse,
  expected: Digest | undefined,
): (Descriptor & { readonly digest: Digest }) | null {
  const digest = response.headers[CONTENT_DIGEST];
  const size = Number(response.headers["content-length"]);
  const mediaType = bareType(response);
  if (
    typeof digest !== "string" ||
    !isDigest(digest) ||
    !Number.isSafeInteger(size) ||
    size <= 0 ||
    !MANIFEST_TYPES.includes(mediaType)
  )
    return null;
  return expected !== undefined && digest !== expected ? null : { mediaType, digest, size };
}

function checkedDigest(
  subject: string,
  response: HttpResponse,
  bytes: Uint8Array,
  expected: Digest | undefined,
): Digest {
  const claimed = response.headers[CONTENT_DIGEST];
  const wanted = expected ?? (typeof claimed === "string" && isDigest(claimed) ? claimed : undefined);
  const digest = digestOf(bytes, algorithmFor(wanted));
  if (wanted !== undefined && wanted !== digest)
    throw wrong("corrupt", subject, `content has digest ${digest} instead of ${wanted}`);
  return digest;
}

function mediaTypeOf(subject: string, response: HttpResponse, bytes: Uint8Array): string {
  const declared = bareType(response);
  const inside = typeInside(bytes);
  if (MANIFEST_TYPES.includes(declared)) {
    if (inside !== undefined && inside !== declared)
      throw wrong("invalid", subject, `it is sent as ${declared} but calls itself ${inside}`);
    return declared;
  }
  // Static file servers send "application/json" and the like: then the document says what it is.
  if (inside !== undefined && MANIFEST_TYPES.includes(inside)) return inside;
  throw new TeuError({
    code: "unsupported",
    op: "pull manifest",
    subject,
    message: `its type is ${JSON.stringify((inside ?? declared).slice(0, 200))}`,
    hint: "OCI images and indexes and Docker's schema 2 are understood",
  });
}

function typeInside(bytes: Uint8Array): string | undefined {
  try {
    const value = parseJson(decodeUtf8(bytes), { document: "manifest", maxLength: bytes.length });
    const type = typeof value === "object" && value !== null && "mediaType" in value ? value.mediaType : undefined;
    return typeof type === "string" ? type : undefined;
  } catch (error) {
    if (isTeuError(error, "invalid")) return undefined;
    throw error;
  }
}

function bareType(response: HttpResponse): string {
  return (response.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function wrong(code: "corrupt" | "invalid", subject: string, message: string): TeuError {
  return new TeuError({ code, op: "pull manifest", subject, message });
}
