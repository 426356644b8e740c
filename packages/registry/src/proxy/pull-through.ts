// Repositories of other registries, kept here: what is asked for and not there is fetched, verified, stored and served, large blobs
// while they come; what was fetched is served for ever by its digest. A tag is believed for a while, and then asked for again; when the upstream fails, limits
// or refuses, the tag stands for what it stood for. Many clients that want the same cause one fetch.

import { randomUUID } from "node:crypto";
import { errorText, isTeuError, TeuError } from "@teu/base/errors";
import { inParallel } from "@teu/base/parallel";
import { cleanupScope, type Scope } from "@teu/base/scope";
import type { BlobStorage, BlobUpload, OpenBlob } from "@teu/distribution/server/blob-storage";
import { manifestFacts } from "@teu/distribution/server/manifest-facts";
import type {
  ManifestName,
  MetadataStorage,
  Page,
  Referrer,
  StoredManifest,
} from "@teu/distribution/server/metadata-storage";
import { Problem } from "@teu/distribution/server/problem";
import type { BlobInfo } from "@teu/image/content-store";
import { type Digest, digestAlgorithm, parseDigest } from "@teu/image/digest";
import { isDocumentType } from "@teu/image/transport/open-image";

import { BlobFlight } from "./blob-flight.ts";
import { proxyOf } from "./proxy-options.ts";
import type { Upstream } from "./upstream.ts";

/** How often what happened. */
export interface PullThroughCounts {
  hits: number;
  fetched: number;
  stale: number;
  failed: number;
}

/** What content comes from and goes to. */
export interface PullThroughParts {
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
  readonly upstreams: readonly Upstream[];
}

/** Bytes gathered before they are written. */
const BATCH = 1 << 20;
/** Uploads that there may be beside: none is refused for a fetch's sake. */
const MOST_UPLOADS = 1_000_000;
/** How long an upstream that failed is not asked for tags that are here. Milliseconds. */
const PAUSE = 15_000;
/** Tags whose time is remembered. */
const MOST_REMEMBERED = 100_000;

/** Referrers that are fetched for one digest: somebody waits, and a list may be as long as its maker likes. */
const MOST_REFERRERS = 100;
const REFERRERS_AT_ONCE = 4;
/** How long a blob that could not be fetched is remembered, for who was told that it comes. Milliseconds. */
const REMORSE = 5000;

/** See the head of this file. Owns its downloads: they go on when who asked has gone, and end when it is disposed. */
export class PullThrough implements AsyncDisposable {
  readonly counts: PullThroughCounts = { hits: 0, fetched: 0, stale: 0, failed: 0 };
  readonly #parts: PullThroughParts;
  readonly #blobs: Map<string, BlobFlight> = new Map();
  readonly #downloads: Set<Promise<void>> = new Set();
  readonly #closing: AbortController = new AbortController();
  readonly #believedUntil: Map<string, number> = new Map();
  readonly #flights: Map<string, Promise<unknown>> = new Map();

  constructor(parts: PullThroughParts) {
    this.#parts = parts;
  }

  /** The upstream of a repository; undefined for one of our own. */
  upstreamOf(repository: string): Upstream | undefined {
    return proxyOf(this.#parts.upstreams, repository);
  }

  /** A manifest of an upstream's repository; null when it is neither there nor here. @throws TeuError `unavailable`. */
  async findManifest(
    scope: Scope,
    upstream: Upstream,
    repository: string,
    name: ManifestName,
  ): Promise<StoredManifest | null> {
    const here = await this.#parts.metadata.findManifest(scope, repository, name);
    const key = `${repository} ${"tag" in name ? name.tag : name.digest}`;
    if (here !== null && ("digest" in name || this.#isBelieved(scope, upstream, key))) {
      this.counts.hits++;
      return here;
    }
    return this.#once(`manifest ${key}`, () =>
      "digest" in name
        ? this.#fetchManifest(scope, upstream, repository, name.digest)
        : this.#refreshTag(scope, upstream, { repository, tag: name.tag, key, here }),
    );
  }

  /** A blob of an upstream's repository: here, or at least coming. Null when it is neither there nor here. */
  async findBlob(scope: Scope, upstream: Upstream, repository: string, digest: Digest): Promise<BlobInfo | null> {
    const here = await this.#parts.metadata.findBlob(scope, repository, digest);
    if (here !== null) {
      this.counts.hits++;
      return here;
    }
    const key = `${repository} ${digest}`;
    const flight =
      this.#blobs.get(key)?.isGood === true
        ? this.#blobs.get(key)
        : await this.#once(`blob ${key}`, () => this.#fetchBlob(scope, upstream, repository, digest));
    if (!(flight instanceof BlobFlight)) return flight ?? null;
    try {
      await flight.begun(scope);
      return flight.blob;
    } catch (error) {
      return isMissing(error) ? null : this.#refused(scope, upstream, repository, error);
    }
  }

  /** A blob that `findBlob` has found, while it comes; null when it does not, or does no more. */
  openBlob(digest: Digest): OpenBlob | null {
    return (
      this.#flightsOf(digest)
        .find(({ isGood }) => isGood)
        ?.open() ?? null
    );
  }

  /** To be asked about a blob that is not here: @throws TeuError `unavailable` when it was coming a moment ago. */
  checkFailed(digest: Digest): void {
    try {
      this.#flightsOf(digest)[0]?.open();
    } catch (error) {
      throw unavailable(digest, "the upstream cannot be used now", error);
    }
  }

  #flightsOf(digest: Digest): BlobFlight[] {
    return [...this.#blobs.values()].filter(({ blob }) => blob.digest === digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#downloads);
  }

  /** Tags of an upstream's repository: those there; when they cannot be had, those here. */
  async listTags(scope: Scope, upstream: Upstream, repository: string, page: Page): Promise<readonly string[] | null> {
    try {
      const tags = await this.#once(`tags ${repository}`, () => upstream.tags(scope, repository));
      const sorted = [...new Set(tags)].sort((a, b) => (a < b ? -1 : 1));
      return sorted.filter((tag) => page.after === undefined || tag > page.after).slice(0, page.limit);
    } catch (error) {
      this.#note(scope, repository, error);
      return this.#parts.metadata.listTags(scope, repository, page);
    }
  }

  /**
   * What refers to a digest, as the storage lists it once what the upstream has is here too: signatures and SBOMs are small, and who
   * asks for the list wants them. When the upstream cannot be asked, those that are here.
   */
  async listReferrers(
    scope: Scope,
    upstream: Upstream,
    repository: string,
    digest: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<readonly Referrer[]> {
    const key = `${repository} referrers ${digest}`;
    if (!this.#isBelieved(scope, upstream, key))
      await this.#once(key, () => this.#fetchReferrers(scope, upstream, { repository, digest, key })).catch((error) => {
        // Whoever asked first and has gone does not take the list away from the others.
        if (scope.signal.aborted) throw error;
      });
    return this.#parts.metadata.listReferrers(scope, repository, digest, page);
  }

  async #fetchReferrers(
    scope: Scope,
    upstream: Upstream,
    { repository, digest, key }: { repository: string; digest: Digest; key: string },
  ): Promise<void> {
    try {
      const found = await upstream.referrers(scope, repository, digest);
      const wanted = found.filter(({ mediaType }) => isDocumentType(mediaType)).slice(0, MOST_REFERRERS);
      await inParallel(scope, wanted, REFERRERS_AT_ONCE, async (inner, referrer) => {
        // One that cannot be had is missing from the list; the others are not.
        await this.#fetchReferrer(inner, upstream, repository, parseDigest(referrer.digest)).catch((error: unknown) => {
          if (inner.signal.aborted) throw error;
          this.#note(inner, repository, error);
        });
      });
      this.#believe(key, scope.now() + upstream.ttl);
    } catch (error) {
      if (scope.signal.aborted) throw error;
      if (!isMissing(error)) this.#note(scope, repository, error);
      this.#believe(key, scope.now() + Math.min(PAUSE, upstream.ttl));
    }
  }

  async #fetchReferrer(scope: Scope, upstream: Upstream, repository: string, digest: Digest): Promise<void> {
    const key = `manifest ${repository} ${digest}`;
    if ((await this.#parts.metadata.findManifest(scope, repository, { digest })) !== null) return;
    await this.#once(key, () => this.#fetchManifest(scope, upstream, repository, digest));
  }

  /** Whether what was learnt under the key still counts. */
  #isBelieved(scope: Scope, upstream: Upstream, key: string): boolean {
    const left = (this.#believedUntil.get(key) ?? 0) - scope.now();
    // A clock that was set back makes nothing be believed for longer.
    return left > 0 && left <= Math.max(upstream.ttl, PAUSE);
  }

  async #refreshTag(
    scope: Scope,
    upstream: Upstream,
    { repository, tag, key, here }: { repository: string; tag: string; key: string; here: StoredManifest | null },
  ): Promise<StoredManifest | null> {
    try {
      const digest = await upstream.resolve(scope, repository, tag);
      if (here?.digest === digest) {
        this.#believe(key, scope.now() + upstream.ttl);
        return here;
      }
      const manifest = await this.#fetchManifest(scope, upstream, repository, digest, tag);
      this.#believe(key, scope.now() + upstream.ttl);
      return manifest;
    } catch (error) {
      // The upstream knows best that it has no such tag; anything else says nothing about the tag.
      if (isMissing(error)) return null;
      if (here === null) return this.#refused(scope, upstream, repository, error);
      this.#note(scope, repository, error);
      this.counts.stale++;
      this.#believe(key, scope.now() + Math.min(PAUSE, upstream.ttl));
      return here;
    }
  }

  async #fetchManifest(
    scope: Scope,
    upstream: Upstream,
    repository: string,
    digest: Digest,
    tag?: string,
  ): Promise<StoredManifest | null> {
    try {
      const { bytes, descriptor } = await upstream.manifest(scope, repository, digest);
      // What it refers to comes when it is asked for.
      const manifest = manifestFacts({ bytes, contentType: descriptor.mediaType, digest, sparse: true });
      const tags = tag === undefined ? [] : [tag];
      const outcome = await this.#parts.metadata.putManifest(scope, repository, { manifest, tags });
      if (outcome.kind !== "stored") throw unavailable(repository, `its manifest is ${outcome.kind}`);
      this.counts.fetched++;
      return manifest;
    } catch (error) {
      // By tag, the caller knows what to do about it.
      if (tag !== undefined) throw error;
      return isMissing(error) ? null : this.#refused(scope, upstream, repository, error);
    }
  }

  /** The blob when it is here already, else its flight. */
  async #fetchBlob(
    scope: Scope,
    upstream: Upstream,
    repository: string,
    digest: Digest,
  ): Promise<BlobInfo | BlobFlight | null> {
    try {
      const size = await upstream.blobSize(scope, repository, digest);
      if (size === null) return null;
      const blob = { digest, size };
      // The upstream has said that its repository has it: then the bytes may be those that are here already.
      if (await this.#linkPresent(scope, repository, blob)) return blob;
      return await this.#begin(scope.withSignal(this.#closing.signal), upstream, repository, blob);
    } catch (error) {
      return isMissing(error) ? null : this.#refused(scope, upstream, repository, error);
    }
  }

  async #linkPresent(scope: Scope, repository: string, blob: BlobInfo): Promise<boolean> {
    const { blobs, metadata } = this.#parts;
    const id = randomUUID();
    await metadata.createUpload(scope, { id, repository }, MOST_UPLOADS);
    try {
      // Claimed before it is looked at: what is here then stays.
      await metadata.claimBlobs(scope, id, [blob.digest]);
      if ((await blobs.stat(scope, blob.digest))?.size !== blob.size) return false;
      return await metadata.linkClaimed(scope, repository, { upload: id, blobs: [blob], end: true });
    } finally {
      await metadata.deleteUpload(scope, id);
    }
  }

  async #begin(scope: Scope, upstream: Upstream, repository: string, blob: BlobInfo): Promise<BlobFlight> {
    const { blobs, metadata } = this.#parts;
    const id = randomUUID();
    const algorithm = digestAlgorithm(blob.digest);
    // A session like any client's: what a crash leaves of it is swept.
    await metadata.createUpload(scope, { id, repository, algorithm }, MOST_UPLOADS);
    const upload = await blobs.createUpload(scope, id, algorithm).catch(async (error: unknown) => {
      await metadata.deleteUpload(scope, id);
      throw error;
    });
    const flight = new BlobFlight(blob, blobs, upload);
    const key = `${repository} ${blob.digest}`;
    this.#blobs.set(key, flight);
    const forget = (): void => void (this.#blobs.get(key) === flight && this.#blobs.delete(key));
    const download = this.#download(scope, upstream, repository, { flight, upload })
      .then(
        () => {
          this.counts.fetched++;
          flight.ended();
          forget();
        },
        (error: unknown) => {
          flight.failed(error);
          setTimeout(forget, REMORSE).unref();
        },
      )
      .finally(() => this.#downloads.delete(download));
    this.#downloads.add(download);
    return flight;
  }

  async #download(
    scope: Scope,
    upstream: Upstream,
    repository: string,
    { flight, upload }: { readonly flight: BlobFlight; readonly upload: BlobUpload },
  ): Promise<void> {
    const { blobs, metadata } = this.#parts;
    const { blob } = flight;
    try {
      await using _ = upload;
      const write = async (batch: readonly Uint8Array[], size: number): Promise<void> => {
        await upload.write(batch);
        flight.wrote(size);
      };
      let batch: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of upstream.blob(scope, repository, blob)) {
        batch.push(chunk);
        size += chunk.length;
        if (size < BATCH) continue;
        await write(batch, size);
        [batch, size] = [[], 0];
      }
      if (size > 0) await write(batch, size);
      await metadata.claimBlobs(scope, upload.id, [blob.digest]);
      const link = { upload: upload.id, blobs: [await upload.commit(blob.digest)], end: true };
      if (!(await metadata.linkClaimed(scope, repository, link)))
        throw unavailable(repository, "the fetched blob was cleaned away at once");
    } finally {
      // Also when the registry is closing.
      const last = cleanupScope(scope, 10_000);
      await blobs.deleteUpload(last, upload.id);
      await metadata.deleteUpload(last, upload.id);
    }
  }

  // Nothing of it is here. That the upstream refuses it is no news to our client: to it, there is nothing. That it refuses us, or we it, is.
  #refused(scope: Scope, upstream: Upstream, repository: string, error: unknown): null {
    this.#note(scope, repository, error);
    if (isTeuError(error, "denied") && typeof error.detail["status"] === "number") {
      if (!upstream.hasLogin || error.detail["isLogin"] !== true) return null;
      throw unavailable(repository, "the upstream refuses the login of this proxy", error);
    }
    if (isTeuError(error, "exhausted") || error instanceof Problem) throw error;
    if (isTeuError(error) && error.detail["status"] === 429) throw limited(error);
    throw unavailable(repository, "the upstream cannot be used now", error);
  }

  #note(scope: Scope, repository: string, error: unknown): void {
    this.counts.failed++;
    scope.log.warn("upstream failed", { repository, error: errorText(error) });
  }

  #believe(key: string, until: number): void {
    this.#believedUntil.delete(key);
    this.#believedUntil.set(key, until);
    const [oldest] = this.#believedUntil.keys();
    if (this.#believedUntil.size > MOST_REMEMBERED && oldest !== undefined) this.#believedUntil.delete(oldest);
  }

  #once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const flying = this.#flights.get(key) as Promise<T> | undefined;
    if (flying !== undefined) return flying;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}

/** What an upstream that limits us says, handed on: who asked is to wait, and knows how long. */
function limited({ detail }: TeuError): Problem {
  const { retryAfter } = detail;
  const seconds = typeof retryAfter === "number" ? Math.max(1, retryAfter) : 60;
  const entry = {
    code: "TOOMANYREQUESTS",
    message: "the upstream limits requests, and nothing of this is here",
  } as const;
  return new Problem(429, entry, { "retry-after": String(seconds) });
}

function isMissing(error: unknown): boolean {
  return isTeuError(error, "not-found");
}

function unavailable(subject: string, message: string, cause?: unknown): TeuError {
  const more = cause === undefined ? {} : { cause };
  return new TeuError({ code: "unavailable", op: "fetch from upstream", subject, message, ...more });
}
