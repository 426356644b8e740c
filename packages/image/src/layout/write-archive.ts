// Writes images as one tar: an OCI image layout, and (unless told otherwise) Docker's manifest.json beside it, as `docker
// save` does since version 25: `docker load` of any age, skopeo's oci-archive and docker-archive all read it.
// Same images, same bytes.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";
import { TeuError } from "@teu/base/errors";

import type { ContentStore } from "../content-store.ts";
import { type Digest, parseDigest } from "../digest.ts";
import { dockerManifest } from "../docker-archive/manifest-json.ts";
import { walkDescriptors } from "../documents.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { blobPath, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, layoutIndex, type NamedImage } from "./layout-files.ts";

/** An image for an archive. */
export interface ArchivedImage extends NamedImage {
  /** The one manifest that Docker's list names, when `descriptor` is an index. */
  readonly dockerManifest?: Descriptor;
  /** Of an index: digests of the manifests that are taken along; default: all. */
  readonly only?: ReadonlySet<string>;
}

/** What the archive is to hold. */
export interface ArchiveOptions {
  /** Docker's manifest.json too. Default true. */
  readonly docker?: boolean;
  /** Leave out what the store does not have of an index. Default false. */
  readonly sparse?: boolean;
}

const BATCH = 256 << 10;

/**
 * The archive, in chunks that belong to the reader.
 * @throws TeuError `not-found` when the store lacks something, `corrupt`, `invalid` for an index without `dockerManifest`.
 */
export async function* writeArchive(
  scope: Scope,
  store: ContentStore,
  images: readonly ArchivedImage[],
  options: ArchiveOptions = {},
): AsyncIterable<Uint8Array> {
  const blobs = new Map<Digest, number>();
  for (const { descriptor, only } of images) {
    const taken = { sparse: options.sparse === true, ...(only === undefined ? {} : { only }) };
    for (const found of await walkDescriptors(scope, store, descriptor, taken)) {
      const digest = parseDigest(found.digest);
      const info = await store.info(scope, digest);
      if (info === null) throw missing(digest);
      blobs.set(digest, info.size);
    }
  }
  const sorted = [...blobs].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const directory of blobDirectories(sorted))
    yield encodeTarHeader(tarEntry({ type: "directory", name: directory }));
  for (const [digest, size] of sorted) yield* member(blobPath(digest), size, store.read(scope, digest));
  yield small(INDEX_FILE, JSON.stringify(layoutIndex(images)));
  if (options.docker !== false) {
    const list = await dockerManifest(scope, store, images.map(forDocker));
    yield small("manifest.json", JSON.stringify(list));
  }
  yield small(LAYOUT_FILE, LAYOUT_CONTENT);
  yield TAR_END;
}

function forDocker(image: ArchivedImage): NamedImage {
  return { descriptor: image.dockerManifest ?? image.descriptor, names: image.names };
}

function blobDirectories(blobs: readonly (readonly [Digest, number])[]): string[] {
  const algorithms = new Set(blobs.map(([digest]) => blobPath(digest).split("/").slice(0, 2).join("/")));
  return ["blobs", ...algorithms];
}

async function* member(name: string, size: number, content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield encodeTarHeader(tarEntry({ type: "file", name, size, mode: 0o444 }));
  for await (const chunk of content)
    for (let at = 0; at < chunk.length; at += BATCH) yield chunk.subarray(at, at + BATCH);
  const padding = tarPadding(size);
  if (padding.length > 0) yield padding;
}

function small(name: string, text: string): Uint8Array {
  const content = Buffer.from(text);
  return Buffer.concat([
    encodeTarHeader(tarEntry({ type: "file", name, size: content.length })),
    content,
    tarPadding(content.length),
  ]);
}

function missing(digest: Digest): TeuError {
  return new TeuError({ code: "not-found", op: "save image", subject: digest, message: "no such blob" });
}
