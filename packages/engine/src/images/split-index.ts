// What an index in the content store is made of: images that can be had as images here, and all else that is only kept with it.

import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { type Digest, parseDigest } from "@teu/image/digest";
import { isIndexType, isManifestType } from "@teu/image/documents";
import type { Image } from "@teu/image/transport/open-image";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageManifest,
  MEDIA_TYPES,
  parseIndex,
  parseManifest,
} from "@teu/specs/image";

const IMAGE_CONFIGS: ReadonlySet<string> = new Set([MEDIA_TYPES.config, MEDIA_TYPES.dockerConfig]);

/** Whether an image of an index can be unpacked here: attestations cannot, nor can images of other systems. */
export function isForHere({ document, manifest }: Pick<Image, "document" | "manifest">): boolean {
  return isForLinux(document.descriptor, manifest);
}

/** What `splitIndex` found. */
export interface IndexParts {
  readonly images: readonly Descriptor[];
  /** The index itself, and those in it. */
  readonly indexes: readonly Digest[];
  /** Everything else: attestations, images of other systems, with their blobs. */
  readonly others: readonly Digest[];
}

/** Takes an index apart, as far as it is in the store. */
export async function splitIndex(scope: Scope, content: ContentStore, index: Descriptor): Promise<IndexParts> {
  const images: Descriptor[] = [];
  const indexes: Digest[] = [];
  const others = new Set<Digest>();
  const seen = new Set<string>();
  const walk = async (descriptor: Descriptor): Promise<void> => {
    const digest = parseDigest(descriptor.digest);
    if (seen.has(digest) || (await content.info(scope, digest)) === null) return;
    seen.add(digest);
    if (isIndexType(descriptor.mediaType)) {
      indexes.push(digest);
      const { manifests } = parseIndex(await content.readAll(scope, digest, DOCUMENT_LIMITS.index));
      for (const child of manifests) await walk(child);
      return;
    }
    const manifest = isManifestType(descriptor.mediaType)
      ? parseManifest(await content.readAll(scope, digest, DOCUMENT_LIMITS.manifest))
      : null;
    if (manifest !== null && isForLinux(descriptor, manifest)) {
      images.push(descriptor);
      return;
    }
    others.add(digest);
    for (const blob of manifest === null ? [] : [manifest.config, ...manifest.layers])
      others.add(parseDigest(blob.digest));
  };
  await walk(index);
  return { images, indexes, others: [...others] };
}

function isForLinux({ platform }: Descriptor, { config, artifactType }: ImageManifest): boolean {
  if (!IMAGE_CONFIGS.has(config.mediaType) || artifactType !== undefined) return false;
  return platform === undefined || platform.os === "linux";
}
