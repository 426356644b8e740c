// Documents of images (configs, manifests, indexes) in a content store: reading with checks, writing with digests, and
// walking everything that an image refers to. Stored bytes are never rewritten.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";

import type { ContentStore } from "./content-store.ts";
import { digestOf, parseDigest } from "./digest.ts";

const INDEX_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest]);
/** Indexes in indexes; more is an attack. */
const MAX_DEPTH = 8;
/** Documents reachable from one descriptor. */
const MAX_DOCUMENTS = 10_000;

/** Whether a descriptor names an index (or Docker manifest list). */
export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType);
}

/** Whether a descriptor names an image manifest, OCI or Docker. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.has(mediaType);
}

/** Reads and checks a manifest. @throws TeuError `not-found`, `corrupt`, `invalid`. */
export async function readManifest(scope: Scope, store: ContentStore, descriptor: Descriptor): Promise<ImageManifest> {
  const manifest = parseManifest(await readDocument(scope, store, descriptor, DOCUMENT_LIMITS.manifest));
  checkMediaType(descriptor, manifest.mediaType);
  return manifest;
}

/** Reads and checks an index. @throws TeuError `not-found`, `corrupt`, `invalid`. */
export async function readIndex(scope: Scope, store: ContentStore, descriptor: Descriptor): Promise<ImageIndex> {
  const index = parseIndex(await readDocument(scope, store, descriptor, DOCUMENT_LIMITS.index));
  checkMediaType(descriptor, index.mediaType);
  return index;
}

/** Stores a value as JSON. Returns the descriptor with its digest and size. */
export async function writeDocument(
  scope: Scope,
  store: ContentStore,
  mediaType: string,
  value: unknown,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = digestOf(bytes);
  await using ingest = await store.ingest(scope, digest, { digest, size: bytes.length });
  await ingest.write(bytes);
  await ingest.commit();
  return { mediaType, digest, size: bytes.length };
}

/** Stores an image's config. */
export function writeImageConfig(scope: Scope, store: ContentStore, config: ImageConfig): Promise<Descriptor> {
  return writeDocument(scope, store, MEDIA_TYPES.config, config);
}

/** What a manifest is made of. */
export interface ManifestParts {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Builds and stores an image manifest. */
export function writeManifest(scope: Scope, store: ContentStore, parts: ManifestParts): Promise<Descriptor> {
  const { config, layers, subject, artifactType, annotations } = parts;
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    ...(artifactType === undefined ? {} : { artifactType }),
    config,
    layers,
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return writeDocument(scope, store, MEDIA_TYPES.manifest, manifest);
}

/** Builds and stores an index. */
export function writeIndex(
  scope: Scope,
  store: ContentStore,
  manifests: readonly Descriptor[],
  annotations?: Readonly<Record<string, string>>,
): Promise<Descriptor> {
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests,
    ...(annotations === undefined ? {} : { annotations }),
  };
  return writeDocument(scope, store, MEDIA_TYPES.index, index);
}

/**
 * Every descriptor reachable from `root`, itself included, each digest once, children before parents: the order in which
 * a copy is never incomplete. Contents of unknown media types are leaves. With `sparse`, manifests of an index may be
 * absent (one platform was pulled) and end their branch; layers with `urls` (non-distributable) may always be. `only`: of the
 * manifests in an index those with these digests.
 * @throws TeuError `exhausted` for nesting or numbers that no honest image has; `not-found`, `corrupt`, `invalid`.
 */
export async function walkDescriptors(
  scope: Scope,
  store: ContentStore,
  root: Descriptor,
  options: { readonly sparse?: boolean; readonly only?: ReadonlySet<string> } = {},
): Promise<Descriptor[]> {
  const { only } = options;
  const seen = new Set<string>();
  const found: Descriptor[] = [];
  const visit = async (descriptor: Descriptor, depth: number, optional: boolean): Promise<void> => {
    // By digest: shared children are walked once, or nested indexes could make it exponential.
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    if (depth > MAX_DEPTH || seen.size > MAX_DOCUMENTS) throw tooMuch(root, depth);
    if ((await store.info(scope, parseDigest(descriptor.digest))) === null) {
      if (optional || (descriptor.urls ?? []).length > 0) return;
      throw new TeuError({
        code: "not-found",
        op: "walk image",
        subject: descriptor.digest,
        message: `no such blob, which ${root.digest} needs`,
      });
    }
    const mayMiss = options.sparse === true && isIndexType(descriptor.mediaType);
    const chosen = isIndexType(descriptor.mediaType) ? only : undefined;
    for (const child of await childrenOf(scope, store, descriptor))
      if (chosen === undefined || isIndexType(child.mediaType) || chosen.has(child.digest))
        await visit(child, depth + 1, mayMiss);
    found.push(descriptor);
  };
  await visit(root, 0, false);
  return found;
}

function tooMuch(root: Descriptor, depth: number): TeuError {
  return new TeuError({
    code: "exhausted",
    op: "walk image",
    subject: root.digest,
    message: depth > MAX_DEPTH ? `indexes nested deeper than ${MAX_DEPTH}` : `more than ${MAX_DOCUMENTS} descriptors`,
  });
}

/** What a document refers to directly: manifests of an index, config and layers of a manifest. Not its subject. */
export async function childrenOf(
  scope: Scope,
  store: ContentStore,
  descriptor: Descriptor,
): Promise<readonly Descriptor[]> {
  if (isIndexType(descriptor.mediaType)) return (await readIndex(scope, store, descriptor)).manifests;
  if (!isManifestType(descriptor.mediaType)) return [];
  const manifest = await readManifest(scope, store, descriptor);
  return [manifest.config, ...manifest.layers];
}

async function readDocument(
  scope: Scope,
  store: ContentStore,
  descriptor: Descriptor,
  limit: number,
): Promise<Uint8Array> {
  const bytes = await store.readAll(scope, parseDigest(descriptor.digest), limit);
  if (bytes.length === descriptor.size) return bytes;
  throw new TeuError({
    code: "corrupt",
    op: "read image document",
    subject: descriptor.digest,
    message: `${bytes.length} bytes, its descriptor says ${descriptor.size}`,
  });
}

/** CVE-2021-41190: one document must not be taken for two kinds by two readers. */
export function checkMediaType(descriptor: Descriptor, own: string | undefined): void {
  if (own === undefined || own === descriptor.mediaType) return;
  throw new TeuError({
    code: "invalid",
    op: "read image document",
    subject: descriptor.digest,
    message: `it says it is ${own}, its descriptor says ${descriptor.mediaType}`,
  });
}
