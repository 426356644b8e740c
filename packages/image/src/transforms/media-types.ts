// The same image in OCI's or in Docker's words. Contents stay; media types, and so the manifest's digest, change.

import { TeuError } from "@teu/base/errors";
import { type ImageIndex, type ImageManifest, MEDIA_TYPES } from "@teu/specs/image";

import type { ImageTransform } from "../values/image-value.ts";
import type { IndexValue } from "../values/index-value.ts";
import { withDescriptor } from "../values/layer-value.ts";

/** Whose media types. */
export type TypeFamily = "oci" | "docker";

const PAIRS: readonly (readonly [oci: string, docker: string])[] = [
  [MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList],
  [MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest],
  [MEDIA_TYPES.config, MEDIA_TYPES.dockerConfig],
  [MEDIA_TYPES.layer, MEDIA_TYPES.dockerLayer],
  [MEDIA_TYPES.layerGzip, MEDIA_TYPES.dockerLayerGzip],
  [MEDIA_TYPES.layerZstd, MEDIA_TYPES.dockerLayerZstd],
  [MEDIA_TYPES.layerNondistributable, MEDIA_TYPES.dockerForeignLayer],
  [MEDIA_TYPES.layerNondistributableGzip, MEDIA_TYPES.dockerForeignLayerGzip],
];
const TO: Readonly<Record<TypeFamily, ReadonlyMap<string, string>>> = {
  oci: new Map(PAIRS.map(([oci, docker]) => [docker, oci])),
  docker: new Map(PAIRS),
};
const KNOWN: Readonly<Record<TypeFamily, ReadonlySet<string>>> = {
  oci: new Set(PAIRS.map(([oci]) => oci)),
  docker: new Set(PAIRS.map(([, docker]) => docker)),
};

/** The media type of `family` for what `mediaType` means. @throws TeuError `unsupported` when it has none. */
export function mediaTypeFor(family: TypeFamily, mediaType: string): string {
  const found = KNOWN[family].has(mediaType) ? mediaType : TO[family].get(mediaType);
  if (found !== undefined) return found;
  throw new TeuError({
    code: "unsupported",
    op: "change media types",
    subject: mediaType,
    message: family === "docker" ? "Docker has no such media type" : "OCI has no such media type",
  });
}

/** An image in the words of `family`. Docker's manifests have neither annotations nor a subject: they are left out. */
export function setMediaTypes(family: TypeFamily): ImageTransform {
  return (image) =>
    image.with((parts) => {
      const mediaType = mediaTypeFor(family, parts.mediaType);
      return {
        ...parts,
        mediaType,
        configType: mediaTypeFor(family, parts.configType),
        manifest: inFamily(family, { ...parts.manifest, mediaType }),
        layers: parts.layers.map((layer) =>
          withDescriptor(layer, (descriptor) => ({
            ...descriptor,
            mediaType: mediaTypeFor(family, descriptor.mediaType),
          })),
        ),
      };
    });
}

/** An index, and every image in it, in the words of `family`. */
export function setIndexMediaTypes(index: IndexValue, family: TypeFamily): IndexValue {
  return index.mapImages(setMediaTypes(family)).with((parts) => {
    const mediaType = mediaTypeFor(family, parts.mediaType);
    return { ...parts, mediaType, index: inFamily(family, { ...parts.index, mediaType }) };
  });
}

function inFamily<T extends ImageManifest | ImageIndex>(family: TypeFamily, document: T): T {
  if (family === "oci") return document;
  const { annotations: _annotations, subject: _subject, artifactType: _type, ...rest } = document;
  return rest as T;
}
