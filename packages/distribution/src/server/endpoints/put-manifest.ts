// PUT /v2/NAME/manifests/REFERENCE, with `tag` parameters when the reference is a digest (end-7a, end-7b).
// If-Match and If-None-Match make tag updates safe between writers.

import type { Digest } from "@teu/image/digest";

import { CONTENT_DIGEST, OCI_SUBJECT, OCI_TAG } from "../../wire/headers.ts";
import { manifestPath } from "../../wire/routes.ts";
import { readBody } from "../body-reader.ts";
import { pushCondition } from "../conditional.ts";
import type { Exchange } from "../exchange.ts";
import { manifestFacts } from "../manifest-facts.ts";
import type { ManifestName, NewManifest, PushOutcome } from "../metadata-storage.ts";
import { checkComputableDigest, checkReference, checkTag } from "../names.ts";
import { Problem, problem, tagProtected } from "../problem.ts";

/** Stores a manifest and its tags. */
export async function putManifest(exchange: Exchange, repository: string, reference: string): Promise<void> {
  const { blobs, limits, metadata, scope, sparse = false } = exchange.context;
  const name = checkReference(reference);
  const tags = tagsOf(exchange, name);
  const digest = "digest" in name ? checkComputableDigest(name.digest) : undefined;
  const bytes = await readBody(exchange.request, limits.manifestBytes, limits);
  const manifest = manifestFacts({
    bytes,
    contentType: exchange.header("content-type"),
    sparse,
    ...(digest === undefined ? {} : { digest }),
  });
  const condition = pushCondition(exchange);
  blobs.checkRoom?.(bytes.length);
  const outcome = await metadata.putManifest(scope, repository, {
    manifest,
    tags,
    ...(exchange.tags === undefined ? {} : { rights: exchange.tags }),
    ...(condition === undefined ? {} : { condition }),
  });
  if (outcome.kind !== "stored") throw refusal(outcome);
  const pushed = { action: "push", repository, digest: manifest.digest, mediaType: manifest.mediaType } as const;
  for (const tag of tags.length === 0 ? [undefined] : tags)
    exchange.happened({ ...pushed, size: bytes.length, ...(tag === undefined ? {} : { tag }) });
  exchange.sendEmpty(201, answerHeaders(repository, manifest, "digest" in name ? tags : []));
}

function tagsOf(exchange: Exchange, name: ManifestName): readonly string[] {
  const { limits } = exchange.context;
  if ("tag" in name) return [name.tag];
  const tags = [...new Set(exchange.query.getAll("tag"))];
  if (tags.length > limits.tagsPerPush) {
    throw problem(414, "TAG_INVALID", `at most ${limits.tagsPerPush} tags in one push`, { tags: tags.length });
  }
  return tags.map(checkTag);
}

function answerHeaders(
  repository: string,
  manifest: NewManifest,
  tags: readonly string[],
): Record<string, string | string[]> {
  return {
    location: manifestPath(repository, manifest.digest),
    [CONTENT_DIGEST]: manifest.digest,
    ...(manifest.subject === undefined ? {} : { [OCI_SUBJECT]: manifest.subject }),
    ...(tags.length === 0 ? {} : { [OCI_TAG]: [...tags] }),
  };
}

function refusal(outcome: Exclude<PushOutcome, { kind: "stored" }>): Problem {
  switch (outcome.kind) {
    case "missing":
      return new Problem(404, outcome.digests.slice(0, 100).map(missing));
    case "wrong-size":
      return problem(400, "MANIFEST_INVALID", "a descriptor's size is not the size of its content", outcome);
    case "tag-protected":
      return tagProtected(outcome.tag);
    case "condition-failed":
      return problem(412, "MANIFEST_INVALID", "the tag is not what the condition wants", { current: outcome.current });
  }
}

function missing(digest: Digest): { code: "MANIFEST_BLOB_UNKNOWN"; message: string; detail: unknown } {
  return {
    code: "MANIFEST_BLOB_UNKNOWN",
    message: "the manifest refers to content that is not in this repository",
    detail: { digest },
  };
}
