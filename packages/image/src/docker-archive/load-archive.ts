// Loads saved images from one tar: an OCI layout (oci-archive), Docker's archive of any age, or both in one (Docker 25 on).
// Docker's layers become an OCI manifest of ours; the config keeps its bytes, hence the image its id.
// Streams: works from a pipe. On failure the store is as it was.

import { isTeuError, TeuError } from "@teu/base/errors";
import { cleanupScope, type Scope } from "@teu/base/scope";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  MEDIA_TYPES,
  parseImageConfig,
  parseImageLayout,
  parseIndex,
} from "@teu/specs/image";

import { decompress } from "../compression/decompress.ts";
import { detectCompression, layerMediaType, MAGIC_BYTES } from "../compression/detect.ts";
import type { BlobInfo, ContentStore } from "../content-store.ts";
import { type ManifestParts, walkDescriptors, writeManifest } from "../documents.ts";
import { type FoundImage, imagesOfIndex, INDEX_FILE, LAYOUT_FILE } from "../layout/layout-files.ts";
import { parseReference, type Reference } from "../reference.ts";
import { ArchiveMembers } from "./archive-members.ts";
import {
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIMIT,
  type DockerArchiveImage,
  parseDockerManifest,
} from "./manifest-json.ts";

/**
 * Loads all images of an archive, compressed (gzip, zstd) or not, into a store. Where both forms are present the layout
 * counts: it has the digests under which the images were pushed.
 * @throws TeuError `invalid` when it is no image archive, `corrupt` or `not-found` for broken ones, `exhausted`.
 */
export async function loadArchive(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  store: ContentStore,
): Promise<FoundImage[]> {
  const members = new ArchiveMembers();
  try {
    await members.read(scope, decompress(scope, source), store);
    const images = await imagesOf(scope, members, store);
    const kept = new Set<string>();
    for (const { descriptor } of images) {
      for (const { digest } of await walkDescriptors(scope, store, descriptor, { sparse: true })) kept.add(digest);
    }
    await members.drop(scope, store, kept);
    return images;
  } catch (error) {
    await members.drop(cleanupScope(scope, 30_000), store, new Set());
    throw error;
  }
}

async function imagesOf(scope: Scope, members: ArchiveMembers, store: ContentStore): Promise<FoundImage[]> {
  const layout = members.find(LAYOUT_FILE);
  const index = members.find(INDEX_FILE);
  if (layout !== null && index !== null) {
    parseImageLayout(await store.readAll(scope, layout.digest, DOCUMENT_LIMITS.layout));
    const images = imagesOfIndex(parseIndex(await store.readAll(scope, index.digest, DOCUMENT_LIMITS.index)));
    if (images.length > 0) return images;
  }
  const list = members.find(DOCKER_MANIFEST);
  if (list === null) {
    throw new TeuError({
      code: "invalid",
      op: "load images",
      message: "neither index.json nor manifest.json is in the archive",
    });
  }
  const found: { parts: ManifestParts; names: Reference[] }[] = [];
  for (const image of parseDockerManifest(await store.readAll(scope, list.digest, DOCKER_MANIFEST_LIMIT))) {
    found.push({ parts: await dockerImage(scope, members, store, image), names: namesOf(image) });
  }
  // Written only when every image is known to be good.
  const images: FoundImage[] = [];
  for (const { parts, names } of found)
    images.push({ descriptor: await writeManifest(scope, store, parts), names, labels: [] });
  return images;
}

async function dockerImage(
  scope: Scope,
  members: ArchiveMembers,
  store: ContentStore,
  image: DockerArchiveImage,
): Promise<ManifestParts> {
  const config = memberOf(members, image.Config);
  const parsed = parseImageConfig(await store.readAll(scope, config.digest, DOCUMENT_LIMITS.config));
  const diffIds = parsed.rootfs.diff_ids;
  if (diffIds.length !== image.Layers.length) {
    throw new TeuError({
      code: "corrupt",
      op: "load images",
      subject: image.Config,
      message: `manifest.json names ${image.Layers.length} layers, the config ${diffIds.length}`,
    });
  }
  const layers: Descriptor[] = [];
  for (const [index, name] of image.Layers.entries()) {
    layers.push(await dockerLayer(scope, store, memberOf(members, name), diffIds[index] ?? "", name));
  }
  return { config: { mediaType: MEDIA_TYPES.config, digest: config.digest, size: config.size }, layers };
}

async function dockerLayer(
  scope: Scope,
  store: ContentStore,
  blob: BlobInfo,
  diffId: string,
  name: string,
): Promise<Descriptor> {
  const head: Uint8Array[] = [];
  for await (const chunk of store.read(scope, blob.digest, { length: Math.min(MAGIC_BYTES, blob.size) }))
    head.push(chunk);
  const compression = detectCompression(Buffer.concat(head));
  // A compressed layer's DiffID, and one of another algorithm, is compared when it is unpacked.
  if (compression === "none" && diffId.startsWith("sha256:") && blob.digest !== diffId) {
    throw new TeuError({
      code: "corrupt",
      op: "load images",
      subject: name,
      message: `layer has digest ${blob.digest}, the config says ${diffId}`,
    });
  }
  return { mediaType: layerMediaType(compression), digest: blob.digest, size: blob.size };
}

function memberOf(members: ArchiveMembers, name: string): BlobInfo {
  const blob = members.find(name);
  if (blob !== null) return blob;
  throw new TeuError({
    code: "corrupt",
    op: "load images",
    subject: name,
    message: "manifest.json names it, the archive lacks it",
  });
}

function namesOf(image: DockerArchiveImage): Reference[] {
  return image.RepoTags.flatMap((tag) => {
    // Images without a name are saved as <none>:<none> by old versions.
    if (tag === "" || tag.includes("<none>")) return [];
    try {
      return [parseReference(tag)];
    } catch (error) {
      if (!isTeuError(error, "invalid")) throw error;
      throw new TeuError({
        code: "corrupt",
        op: "load images",
        subject: tag,
        message: "RepoTags holds no valid name",
        cause: error,
      });
    }
  });
}
