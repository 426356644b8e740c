// Pushes an image from a content store: layers several at once, then the config, then the manifest; for an index every manifest
// before the index itself, which gets the tag. What the registry has is not sent again.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { type Digest, parseDigest } from "@teu/image/digest";
import { type Reference, referenceText } from "@teu/image/reference";
import { type Descriptor, DOCUMENT_LIMITS, MEDIA_TYPES, parseIndex, parseManifest } from "@teu/specs/image";

import { inParallel } from "@teu/base/parallel";
import type { TransferProgress } from "./progress.ts";
import type { RegistryClient } from "./registry-client.ts";

/** What to push, from where, to where. */
export interface PushOptions {
  readonly client: RegistryClient;
  /** Its tag is what the image gets; without one it is pushed by digest only. */
  readonly reference: Reference;
  readonly store: ContentStore;
  /** The index or manifest in the store. */
  readonly descriptor: Descriptor;
  readonly progress?: TransferProgress;
  /** Blobs at once. Default 4. */
  readonly concurrency?: number;
  /** Repositories of the same registry that may have the layers. */
  readonly mountFrom?: readonly string[];
}

const MAX_DEPTH = 4;
const TYPES_OF_INDEXES: ReadonlySet<string> = new Set([MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList]);
/** Not ours to distribute. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  MEDIA_TYPES.layerNondistributable,
  MEDIA_TYPES.layerNondistributableGzip,
  MEDIA_TYPES.layerNondistributableZstd,
  MEDIA_TYPES.dockerForeignLayer,
  MEDIA_TYPES.dockerForeignLayerGzip,
]);

/** Pushes. @throws TeuError `not-found` when the store lacks a part, `denied`, `exhausted`, `corrupt`, `unavailable`. */
export async function pushImage(scope: Scope, options: PushOptions): Promise<void> {
  await pushTree(scope, options, options.descriptor, options.reference.tag, new Set(), 0);
}

async function pushTree(
  scope: Scope,
  options: PushOptions,
  descriptor: Descriptor,
  tag: string | undefined,
  done: Set<Digest>,
  depth: number,
): Promise<void> {
  const { client, reference, store } = options;
  const digest = parseDigest(descriptor.digest);
  if (done.has(digest) && tag === undefined) return;
  if (depth > MAX_DEPTH)
    throw new TeuError({
      code: "invalid",
      op: "push image",
      subject: referenceText(reference),
      message: `indexes are nested deeper than ${MAX_DEPTH}`,
    });
  const bytes = await readDocument(scope, store, reference, digest);
  if (TYPES_OF_INDEXES.has(descriptor.mediaType)) {
    for (const child of parseIndex(bytes).manifests) await pushTree(scope, options, child, undefined, done, depth + 1);
  } else {
    await pushBlobs(scope, options, bytes, done);
  }
  await client.pushManifest(scope, reference, { mediaType: descriptor.mediaType, bytes, reference: tag ?? digest });
  done.add(digest);
  options.progress?.({ kind: "done", digest, size: bytes.length });
}

async function pushBlobs(scope: Scope, options: PushOptions, manifest: Uint8Array, done: Set<Digest>): Promise<void> {
  const { config, layers } = parseManifest(manifest);
  const wanted = new Map<Digest, Descriptor>();
  for (const layer of layers) {
    const digest = parseDigest(layer.digest);
    if (!ELSEWHERE.has(layer.mediaType) && !done.has(digest)) wanted.set(digest, layer);
  }
  await inParallel(scope, [...wanted], options.concurrency ?? 4, (inner, [digest, layer]) =>
    pushBlob(inner, options, digest, layer.size),
  );
  const configDigest = parseDigest(config.digest);
  if (!done.has(configDigest) && !wanted.has(configDigest)) await pushBlob(scope, options, configDigest, config.size);
  for (const digest of [...wanted.keys(), configDigest]) done.add(digest);
}

async function pushBlob(scope: Scope, options: PushOptions, digest: Digest, size: number): Promise<void> {
  const { client, reference, store, progress } = options;
  await checkPresent(scope, store, reference, digest, size);
  let begun = false;
  const outcome = await client.pushBlob(
    scope,
    reference,
    { digest, size },
    (offset) => store.read(scope, digest, offset === 0 ? {} : { offset }),
    {
      ...(options.mountFrom === undefined ? {} : { mountFrom: options.mountFrom }),
      progress: (offset) => {
        if (!begun) progress?.({ kind: "started", digest, size, offset: 0 });
        begun = true;
        progress?.({ kind: "progress", digest, size, offset });
      },
    },
  );
  progress?.({ kind: outcome === "uploaded" ? "done" : outcome, digest, size });
}

async function checkPresent(
  scope: Scope,
  store: ContentStore,
  reference: Reference,
  digest: Digest,
  size: number,
): Promise<void> {
  const info = await store.info(scope, digest);
  if (info === null) throw missing(reference, digest);
  if (info.size === size) return;
  throw new TeuError({
    code: "corrupt",
    op: "push image",
    subject: referenceText(reference),
    message: `${digest} has ${info.size} bytes, its descriptor says ${size}`,
  });
}

async function readDocument(
  scope: Scope,
  store: ContentStore,
  reference: Reference,
  digest: Digest,
): Promise<Uint8Array> {
  if ((await store.info(scope, digest)) === null) throw missing(reference, digest);
  return store.readAll(scope, digest, DOCUMENT_LIMITS.manifest);
}

function missing(reference: Reference, digest: Digest): TeuError {
  return new TeuError({
    code: "not-found",
    op: "push image",
    subject: referenceText(reference),
    message: `${digest} is not here`,
    hint: "an index can be pushed only with all its platforms: pull all of them first, or push one platform's manifest",
  });
}
