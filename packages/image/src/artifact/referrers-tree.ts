// What refers to an image, and what refers to that: signatures, SBOMs, attestations, as a tree.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { type Digest, parseDigest } from "../digest.ts";
import type { ImageSource } from "../transport/source-and-sink.ts";

/** A referrer with its own. */
export interface Referrer {
  readonly descriptor: Descriptor;
  readonly referrers: readonly Referrer[];
}

/** What to look for. */
export interface ReferrersOptions {
  /** Only referrers of this type, and only of the image itself. */
  readonly artifactType?: string;
  /** Levels. Default: all. */
  readonly depth?: number;
}

/** Honest trees are small; the cost of each entry is a request. */
const MOST = 1000;

/** The tree. Cycles end: each digest has its referrers at one place only. @throws TeuError `unsupported` where a place keeps none, `exhausted`. */
export async function referrersTree(
  scope: Scope,
  source: ImageSource,
  digest: Digest,
  options: ReferrersOptions = {},
): Promise<readonly Referrer[]> {
  if (source.referrers === undefined) {
    const message = "the place keeps no referrers";
    const hint = "registries, OCI layouts and archives do";
    throw new TeuError({ code: "unsupported", op: "list referrers", subject: source.name, message, hint });
  }
  const seen = new Set<string>([digest]);
  const below = async (subject: Digest, depth: number): Promise<Referrer[]> => {
    if (depth === 0) return [];
    const found: Referrer[] = [];
    for (const descriptor of (await source.referrers?.(scope, subject)) ?? []) {
      if (seen.has(descriptor.digest)) continue;
      if (options.artifactType !== undefined && descriptor.artifactType !== options.artifactType) continue;
      seen.add(descriptor.digest);
      if (seen.size > MOST) {
        const message = `more than ${MOST} referrers`;
        throw new TeuError({ code: "exhausted", op: "list referrers", subject: source.name, message });
      }
      const inner = options.artifactType === undefined ? await below(parseDigest(descriptor.digest), depth - 1) : [];
      found.push({ descriptor, referrers: inner });
    }
    return found;
  };
  return await below(digest, options.depth ?? Number.POSITIVE_INFINITY);
}
