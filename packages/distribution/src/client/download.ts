// Downloads a blob, going on by Range where a connection broke. The declared size bounds everything; the digest is checked by
// whoever takes the bytes (verifyStream, or a content store's ingest), because a download may begin in the middle.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { formatRange, parseContentRange } from "../wire/byte-range.ts";
import { blobPath } from "../wire/routes.ts";
import type { HttpResponse } from "./http-transport.ts";
import { isTransient } from "./network-error.ts";
import type { RegistrySession } from "./registry-session.ts";
import { accessTo, type BlobDescriptor, nameText, type RepositoryName } from "./repository.ts";
import { pause, type RetryPolicy, waitBefore } from "./retry.ts";

/** A connection that brought this much before it broke was worth it. */
const GOOD_PIECE = 64 << 10;

/** Bytes `offset` to the end of a blob. @throws TeuError `not-found`, `corrupt` when the registry sends more or less than `size`, `unavailable`. */
export async function* downloadBlob(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  blob: BlobDescriptor,
  retry: RetryPolicy,
  offset: number = 0,
): AsyncIterable<Uint8Array> {
  // JSON may hold larger numbers than can be counted to.
  if (!Number.isSafeInteger(blob.size)) throw impossibleSize(name, blob);
  let at = offset;
  let failures = 0;
  while (at < blob.size || (at === 0 && failures === 0)) {
    const before = at;
    try {
      await using response = await openAt(scope, session, name, blob, at);
      let skip = response.status === 206 ? 0 : at;
      for await (const chunk of response.body) {
        // Whoever does not know Range begins at the beginning.
        const fresh = skip >= chunk.length ? null : chunk.subarray(skip);
        skip -= chunk.length - (fresh?.length ?? 0);
        if (fresh === null) continue;
        if (at + fresh.length > blob.size) throw wrongSize(name, blob, "the registry sends more than was declared");
        at += fresh.length;
        yield fresh;
      }
      if (at === blob.size) return;
      throw cutShort(name, blob, at);
    } catch (error) {
      // What came counts as a good sign: only failures in a row end it. A few bytes per connection are no good sign.
      failures = at - before >= GOOD_PIECE ? 1 : failures + 1;
      const wait = isTransient(error) && failures < retry.attempts ? waitBefore(retry, failures - 1, error) : null;
      if (wait === null)
        throw at < blob.size && isCut(error) ? wrongSize(name, blob, `the registry sends ${at} bytes only`) : error;
      scope.log.debug("download goes on after a failure", { digest: blob.digest, offset: at, error: String(error) });
      await pause(scope, wait);
    }
  }
}

async function openAt(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  blob: BlobDescriptor,
  at: number,
): Promise<HttpResponse> {
  const response = await session.request(scope, {
    method: "GET",
    target: blobPath(name.repository, blob.digest),
    headers: at === 0 ? {} : { range: formatRange({ start: at }) },
    access: accessTo(name, "pull"),
    expect: [200, 206],
    op: "pull blob",
    subject: `${nameText(name)}@${blob.digest}`,
  });
  const fault = faultOf(response, blob, at);
  if (fault === null) return response;
  await response[Symbol.asyncDispose]();
  throw wrongSize(name, blob, fault);
}

function faultOf(response: HttpResponse, blob: BlobDescriptor, at: number): string | null {
  const declared = response.headers["content-length"];
  if (response.status === 206) {
    const range = parseContentRange(response.headers["content-range"]);
    if (range === null || range.start !== at) return "the registry sends another range than was asked for";
    if (range.end > blob.size || (range.size !== undefined && range.size !== blob.size))
      return `the registry has it with ${range.size ?? "other"} bytes`;
    return null;
  }
  // A redirect's target may leave the length out; who names one must name the right one.
  return declared !== undefined && Number(declared) !== blob.size ? `the registry has it with ${declared} bytes` : null;
}

function impossibleSize(name: RepositoryName, blob: BlobDescriptor): TeuError {
  return new TeuError({
    code: "invalid",
    op: "pull blob",
    subject: `${nameText(name)}@${blob.digest}`,
    message: `${blob.size} bytes are declared, more than there can be`,
  });
}

function wrongSize(name: RepositoryName, blob: BlobDescriptor, message: string): TeuError {
  return new TeuError({
    code: "corrupt",
    op: "pull blob",
    subject: `${nameText(name)}@${blob.digest}`,
    message: `${message}, ${blob.size} bytes are declared`,
  });
}

// The end came early without an error of the connection: a proxy's time limit, or a lie; asking for the rest will tell.
function cutShort(name: RepositoryName, blob: BlobDescriptor, at: number): TeuError {
  return new TeuError({
    code: "unavailable",
    op: "pull blob",
    subject: `${nameText(name)}@${blob.digest}`,
    message: `ended after ${at} of ${blob.size} bytes`,
    detail: { transient: true, cut: true },
  });
}

function isCut(error: unknown): boolean {
  return isTeuError(error) && error.detail["cut"] === true;
}
