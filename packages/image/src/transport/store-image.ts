// An image in a content store as a source, and blobs and documents put into one for a sink: what layouts, archives and
// engines share.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageIndex,
  type ImageManifest,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";

import { ChunkMemory } from "../chunk-memory.ts";
import type { ContentStore, ReadOptions } from "../content-store.ts";
import { type Digest, parseDigest } from "../digest.ts";
import { isIndexType, isManifestType } from "../documents.ts";
import { blobNotFound } from "../internal/blob-rules.ts";
import { REF_NAME } from "../layout/layout-files.ts";
import type { BlobIdentity, BlobOutcome, ImageDocument, ImageSource, OpenBlob } from "./source-and-sink.ts";

/** "sha256-<64 hex digits>": the tag of a list of referrers (distribution-spec, "Referrers Tag Schema"). */
const REFERRERS_TAG = /^(?:sha256|sha512|blake3)-[0-9a-f]{64}$/;

/** Where in a store an image is. */
export interface StoredImage {
  readonly name: string;
  readonly store: ContentStore;
  readonly resolve: (scope: Scope) => Promise<Descriptor>;
  /** What may be a referrer: documents that nothing but a list leads to. Absent: there is no such list. */
  readonly listed?: (scope: Scope) => Promise<readonly Descriptor[]>;
  readonly dispose?: () => Promise<void>;
}

/** The source over it. */
export function storeSource({ name, store, resolve, listed, dispose }: StoredImage): ImageSource {
  let subjects: Promise<Map<string, Descriptor[]>> | undefined;
  return {
    name,
    resolve,
    document: (scope, { digest, size }) => store.readAll(scope, parseDigest(digest), size),
    blob: (scope, blob, offset, options) => storedBlob(scope, store, blob, offset, options),
    ...(listed === undefined
      ? {}
      : {
          referrers: async (scope: Scope, digest: Digest) => {
            subjects ??= listed(scope).then((list) => bySubject(scope, store, list));
            return (await subjects).get(digest) ?? [];
          },
        }),
    [Symbol.asyncDispose]: async () => await dispose?.(),
  };
}

/** Puts a blob into a store; goes on with what an interrupted copy left. @throws TeuError `corrupt`. */
export async function putStoreBlob(
  scope: Scope,
  store: ContentStore,
  blob: BlobIdentity,
  open: OpenBlob,
  progress: (offset: number) => void,
): Promise<BlobOutcome> {
  if ((await store.info(scope, blob.digest))?.size === blob.size) return "present";
  // What was left before need not be the beginning of this blob: once more from the start.
  if (!(await ingestBlob(scope, store, blob, open, progress))) await ingestBlob(scope, store, blob, open, progress);
  return "copied";
}

/** Puts a document into a store. */
export async function putStoreDocument(scope: Scope, store: ContentStore, document: ImageDocument): Promise<void> {
  const { digest } = document.descriptor;
  if ((await store.info(scope, digest))?.size === document.bytes.length) return;
  await using ingest = await store.ingest(scope, digest, { digest, size: document.bytes.length });
  await ingest.write(document.bytes);
  await ingest.commit();
}

async function* storedBlob(
  scope: Scope,
  store: ContentStore,
  { digest, size }: BlobIdentity,
  offset: number,
  options?: ReadOptions,
): AsyncIterable<Uint8Array> {
  // Asked first: what lies at a blob's place in somebody's directory may be no file.
  const info = await store.info(scope, digest);
  if (info === null) throw blobNotFound(digest);
  if (info.size !== size) {
    const message = `${info.size} bytes, its descriptor says ${size}`;
    throw new TeuError({ code: "corrupt", op: "read blob", subject: digest, message });
  }
  // Sources are not believed anyhow: whoever asked verifies.
  yield* store.read(scope, digest, { ...options, offset, unverified: true });
}

/** False when a blob that was gone on with turned out wrong. */
async function ingestBlob(
  scope: Scope,
  store: ContentStore,
  blob: BlobIdentity,
  open: OpenBlob,
  progress: (offset: number) => void,
): Promise<boolean> {
  await using ingest = await store.ingest(scope, blob.digest, { ...blob, resume: true });
  const resumed = ingest.offset > 0;
  progress(ingest.offset);
  try {
    const memory = new ChunkMemory();
    for await (const chunk of open(ingest.offset, { memory })) {
      await ingest.write(chunk);
      progress(ingest.offset);
    }
    await ingest.commit();
    memory.giveBack();
    return true;
  } catch (error) {
    if (!isTeuError(error, "corrupt")) throw error;
    await ingest.abort();
    if (resumed) return false;
    throw error;
  }
}

/** As the referrers API lists it (distribution-spec): type and annotations are the manifest's, whatever a list says. */
function describedReferrer({ mediaType, digest, size }: Descriptor, body: ImageIndex | ImageManifest): Descriptor {
  const artifactType = body.artifactType ?? ("config" in body ? body.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(body.annotations === undefined ? {} : { annotations: body.annotations }),
  };
}

async function bySubject(
  scope: Scope,
  store: ContentStore,
  list: readonly Descriptor[],
): Promise<Map<string, Descriptor[]>> {
  const found = new Map<string, Descriptor[]>();
  const seen = new Set<string>();
  const add = async (descriptor: Descriptor, label: string): Promise<void> => {
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    const body = await listedDocument(scope, store, descriptor);
    // regctl keeps a list under a tag in a layout too, as it does where a registry has no referrers API.
    if (body !== null && "manifests" in body && REFERRERS_TAG.test(label))
      for (const referrer of body.manifests) await add(referrer, "");
    const subject = body?.subject;
    if (body === null || subject === undefined) return;
    found.set(subject.digest, [...(found.get(subject.digest) ?? []), describedReferrer(descriptor, body)]);
  };
  for (const descriptor of list) await add(descriptor, descriptor.annotations?.[REF_NAME] ?? "");
  return found;
}

async function listedDocument(
  scope: Scope,
  store: ContentStore,
  { mediaType, digest: text }: Descriptor,
): Promise<ImageIndex | ImageManifest | null> {
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType)) return null;
  const digest = parseDigest(text);
  if ((await store.info(scope, digest)) === null) return null;
  const bytes = await store.readAll(scope, digest, DOCUMENT_LIMITS.manifest);
  return isIndex ? parseIndex(bytes) : parseManifest(bytes);
}
