// distribution-spec v1.1: grammars of names and tags, error codes, and the JSON bodies of a registry's answers.
// Routes, headers and what to do about an answer belong to the distribution package.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { decodeUtf8 } from "@teu/base/utf8";
import * as gen from "./gen/distribution.ts";
import { parseJson } from "./json.ts";
import { validated } from "./validation.ts";

/** The error codes of the spec, then the older ones that registries still send. */
export const REGISTRY_ERROR_CODES = [
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "UNAUTHORIZED",
  "DENIED",
  "UNSUPPORTED",
  "TOOMANYREQUESTS",
  "TAG_INVALID",
  "MANIFEST_UNVERIFIED",
  "PAGINATION_NUMBER_INVALID",
  "RANGE_INVALID",
  "UNKNOWN",
] as const;

/** One of `REGISTRY_ERROR_CODES`; what a server of ours may send. */
export type RegistryErrorCode = (typeof REGISTRY_ERROR_CODES)[number];

/** One entry of an error body. `code` is any text: strangers invent their own. */
export interface RegistryError {
  readonly code: string;
  readonly message?: string;
  readonly detail?: unknown;
}

/** Body of every failed request. */
export interface ErrorBody {
  readonly errors: readonly RegistryError[];
}

/** Body of `GET /v2/NAME/tags/list`, sorted by the server. */
export interface TagList {
  readonly name: string;
  readonly tags: readonly string[];
}

// Clients put a host in front and cap both together at 255.
const MAX_NAME_LENGTH = 255;

// Written so that no input makes it backtrack: each separator run is followed by at least one letter or digit.
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** True for a repository name, as in "library/busybox". */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && NAME.test(text);
}

/** True for a tag, as in "latest". */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Reads the body of a failed request. @throws TeuError `invalid` for bodies of proxies and the like: report the status then. */
export function parseErrorBody(bytes: Uint8Array): ErrorBody {
  return read(bytes, "registry error", 64 << 10, gen.errorBody);
}

/** Reads a page of tags; `"tags": null`, which older registries send for none, is an empty list. @throws TeuError `invalid`. */
export function parseTagList(bytes: Uint8Array): TagList {
  return read(bytes, "tag list", 16 << 20, (value) => {
    if (typeof value === "object" && value !== null && "tags" in value && value.tags === null) value.tags = [];
    return gen.tagList(value);
  });
}

function read<T>(bytes: Uint8Array, document: string, limit: number, validate: Parameters<typeof validated>[2]): T {
  const op = `read ${document}`;
  if (bytes.length > limit) {
    throw new TeuError({ code: "invalid", op, message: `${bytes.length} bytes are more than the limit of ${limit}` });
  }
  return validated<T>(parseJson(decodeUtf8(bytes, op), { document, maxLength: limit }), document, validate);
}
