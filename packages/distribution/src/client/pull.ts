// Pulls an image into a content store: reference -> index -> platform -> manifest -> config and layers, several at once.
// Manifests are stored last, so that whatever manifest the store has, it has its blobs too. Interrupted blobs go on next time.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ContentStore, Ingest } from "@teu/image/content-store";
import { algorithmFor, type Digest, digestOf, parseDigest } from "@teu/image/digest";
import { type Reference, referenceText, withDigest } from "@teu/image/reference";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageIndex,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
  type Platform,
} from "@teu/specs/image";

import { choosePlatform, hostPlatform, platformText } from "./choose-platform.ts";
import type { ManifestContent } from "./manifest-answer.ts";
import { inParallel } from "@teu/base/parallel";
import type { TransferProgress } from "./progress.ts";
import type { RegistryClient } from "./registry-client.ts";

/** What to pull, from where, to where. */
export interface PullOptions {
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly store: ContentStore;
  /** Default this machine's; "all" takes every manifest of an index. */
  readonly platform?: Platform | "all";
  readonly progress?: TransferProgress;
  /** Blobs at once. Default 4. */
  readonly concurrency?: number;
  /** The store has what the reference stood for last time: one HEAD shows whether it still does, and costs nothing of a rate limit. */
  readonly isHere?: boolean;
  /**
   * Asked once, before any blob is: what the reference stands for and, through indexes, the manifest for the platform, with the bytes
   * that will be used. What it throws ends the pull.
   */
  readonly approve?: (scope: Scope, documents: readonly ManifestContent[]) => Promise<void>;
  /** Told once, before any blob is asked for: the manifest for the platform. Not with platform "all". */
  readonly onManifest?: (manifest: Uint8Array) => void;
  /** Told for each blob that the store has, verified, while others are still on their way. */
  readonly onBlob?: (digest: Digest) => void;
}

/** What was pulled. */
export interface PullResult {
  /** What the reference stands for: an index or a manifest. */
  readonly descriptor: Descriptor & { readonly digest: Digest };
  /** The manifest for the platform; the same as `descriptor` when that is no index, and with platform "all". */
  readonly manifestDescriptor: Descriptor & { readonly digest: Digest };
}

/** Deeper indexes than this are nobody's images. */
const MAX_DEPTH = 4;
/** Manifests of one image, all platforms; shared ones count once. */
const MAX_MANIFESTS = 1000;
const TYPES_OF_INDEXES: ReadonlySet<string> = new Set([MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList]);

/**
 * Pulls. Everything in the store was verified.
 * @throws TeuError `not-found` (reference, or no manifest for the platform), `corrupt`, `denied`, `unavailable`, `invalid`.
 */
export async function pullImage(scope: Scope, options: PullOptions): Promise<PullResult> {
  const { store } = options;
  const top = await topManifest(scope, options);
  options.progress?.({ kind: "resolved", digest: top.descriptor.digest, mediaType: top.descriptor.mediaType });
  const visited = new Map<Digest, ManifestContent>();
  const chosen = await collect(scope, options, top, visited, 0);
  await options.approve?.(scope, options.platform === "all" ? [top] : [...visited.values()]);
  const manifest = options.platform === "all" ? undefined : visited.get(chosen.digest);
  if (manifest !== undefined) options.onManifest?.(manifest.bytes);
  const blobs = new Map<Digest, Descriptor>();
  for (const { descriptor, bytes } of visited.values()) {
    if (!isIndex(descriptor)) for (const blob of blobsOf(bytes)) blobs.set(parseDigest(blob.digest), blob);
  }
  await inParallel(scope, [...blobs.values()], options.concurrency ?? 4, async (inner, blob) => {
    await pullBlob(inner, options, blob);
    options.onBlob?.(parseDigest(blob.digest));
  });
  for (const content of [...visited.values()].toReversed())
    await storeBytes(scope, store, content.descriptor.digest, content.bytes);
  return { descriptor: top.descriptor, manifestDescriptor: chosen };
}

// Walks down to the manifests that are wanted, and says which one answers for the platform.
async function collect(
  scope: Scope,
  options: PullOptions,
  content: ManifestContent,
  visited: Map<Digest, ManifestContent>,
  depth: number,
): Promise<PullResult["manifestDescriptor"]> {
  const { descriptor } = content;
  visited.set(descriptor.digest, content);
  if (visited.size > MAX_MANIFESTS) throw tooDeep(options.reference);
  if (!isIndex(descriptor)) return descriptor;
  if (depth >= MAX_DEPTH) throw tooDeep(options.reference);
  const index = parseIndex(content.bytes);
  if (options.platform === "all") {
    for (const child of index.manifests) {
      const digest = parseDigest(child.digest);
      if (!visited.has(digest))
        await collect(scope, options, await fetchChild(scope, options, child, digest), visited, depth + 1);
    }
    return descriptor;
  }
  const child = choose(options.reference, index, options.platform ?? hostPlatform());
  const fetched = await fetchChild(scope, options, child, parseDigest(child.digest));
  const inner = await collect(scope, options, fetched, visited, depth + 1);
  return inner.digest === fetched.descriptor.digest && child.platform !== undefined
    ? { ...inner, platform: child.platform }
    : inner;
}

async function topManifest(scope: Scope, { client, reference, store, isHere }: PullOptions): Promise<ManifestContent> {
  if (isHere !== true) return client.manifest(scope, reference);
  const descriptor = await client.resolve(scope, reference);
  const { digest, mediaType, size } = descriptor;
  return (
    (await storedManifest(scope, store, descriptor)) ??
    client.manifest(scope, withDigest(reference, digest), { digest, mediaType, size })
  );
}

async function fetchChild(
  scope: Scope,
  { client, reference, store }: PullOptions,
  { mediaType, size }: Descriptor,
  digest: Digest,
): Promise<ManifestContent> {
  return (
    (await storedManifest(scope, store, { mediaType, digest, size })) ??
    client.manifest(scope, withDigest(reference, digest), { digest, mediaType, size })
  );
}

async function storedManifest(
  scope: Scope,
  store: ContentStore,
  descriptor: ManifestContent["descriptor"],
): Promise<ManifestContent | null> {
  const { digest, size } = descriptor;
  if (size > DOCUMENT_LIMITS.manifest || (await store.info(scope, digest))?.size !== size) return null;
  return { descriptor, bytes: await store.readAll(scope, digest, size) };
}

function choose(reference: Reference, index: ImageIndex, platform: Platform): Descriptor {
  const known = index.manifests.filter(
    ({ mediaType }) =>
      TYPES_OF_INDEXES.has(mediaType) || mediaType === MEDIA_TYPES.manifest || mediaType === MEDIA_TYPES.dockerManifest,
  );
  const [only] = known;
  const found = choosePlatform(known, platform) ?? (known.length === 1 && only?.platform === undefined ? only : null);
  if (found !== null && found !== undefined) return found;
  const there = known.flatMap((entry) => (entry.platform === undefined ? [] : [platformText(entry.platform)]));
  throw new TeuError({
    code: "not-found",
    op: "pull image",
    subject: referenceText(reference),
    message: `no manifest for ${platformText(platform)}`,
    detail: { platforms: there },
    hint:
      there.length === 0
        ? "its index names no platforms"
        : `it exists for ${[...new Set(there)].slice(0, 20).join(", ")}`,
  });
}

function blobsOf(bytes: Uint8Array): Descriptor[] {
  const { config, layers } = parseManifest(bytes);
  return [config, ...layers];
}

async function pullBlob(scope: Scope, options: PullOptions, blob: Descriptor): Promise<void> {
  const { store, progress } = options;
  const { size } = blob;
  const digest = parseDigest(blob.digest);
  if ((await store.info(scope, digest))?.size === size) return progress?.({ kind: "present", digest, size });
  const embedded = embeddedContent(blob);
  if (embedded !== null) {
    await storeBytes(scope, store, digest, embedded);
  } else if (!(await fetchInto(scope, options, { digest, size }))) {
    await fetchInto(scope, options, { digest, size }, true);
  }
  progress?.({ kind: "done", digest, size });
}

// False when another try, from the start and without mirrors, may do better: what an earlier pull had left was not the beginning of
// this blob, or a mirror has something else under its name.
async function fetchInto(
  scope: Scope,
  { client, reference, store, progress }: PullOptions,
  blob: { digest: Digest; size: number },
  original: boolean = false,
): Promise<boolean> {
  const { digest, size } = blob;
  await using ingest: Ingest = await store.ingest(scope, digest, { ...blob, resume: true });
  const resumed = ingest.offset > 0;
  progress?.({ kind: "started", digest, size, offset: ingest.offset });
  try {
    for await (const chunk of client.download(scope, reference, blob, ingest.offset, { original })) {
      await ingest.write(chunk);
      progress?.({ kind: "progress", digest, size, offset: ingest.offset });
    }
    await ingest.commit();
    return true;
  } catch (error) {
    if (!isTeuError(error, "corrupt")) throw error;
    await ingest.abort();
    if (!original && (resumed || (await client.hasMirrors(scope, reference)))) return false;
    throw new TeuError({
      code: "corrupt",
      op: "pull blob",
      subject: `${referenceText(reference)} ${digest}`,
      message: "the registry sent other content",
      cause: error,
      hint: "try again; if it stays so, the registry or something in between is damaged or hostile",
    });
  }
}

function embeddedContent(blob: Descriptor): Uint8Array | null {
  if (blob.data === undefined) return null;
  const content = Buffer.from(blob.data, "base64");
  const digest = parseDigest(blob.digest);
  const isIt = content.length === blob.size && digestOf(content, algorithmFor(digest)) === digest;
  return isIt ? content : null;
}

async function storeBytes(scope: Scope, store: ContentStore, digest: Digest, bytes: Uint8Array): Promise<void> {
  if ((await store.info(scope, digest)) !== null) return;
  await using ingest = await store.ingest(scope, digest, { digest, size: bytes.length });
  await ingest.write(bytes);
  await ingest.commit();
}

function isIndex(descriptor: Descriptor): boolean {
  return TYPES_OF_INDEXES.has(descriptor.mediaType);
}

function tooDeep(reference: Reference): TeuError {
  return new TeuError({
    code: "invalid",
    op: "pull image",
    subject: referenceText(reference),
    message: `indexes are nested deeper than ${MAX_DEPTH} or name more than ${MAX_MANIFESTS} manifests`,
  });
}
