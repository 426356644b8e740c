// Layers that only their makers may distribute (image-spec, "Non-distributable Layers").

import { MEDIA_TYPES } from "@teu/specs/image";

const NOT_DISTRIBUTABLE: ReadonlySet<string> = new Set([
  MEDIA_TYPES.layerNondistributable,
  MEDIA_TYPES.layerNondistributableGzip,
  MEDIA_TYPES.layerNondistributableZstd,
  MEDIA_TYPES.dockerForeignLayer,
  MEDIA_TYPES.dockerForeignLayerGzip,
]);

/** Whether a blob of this media type is anybody's to copy. */
export function isDistributable(mediaType: string): boolean {
  return !NOT_DISTRIBUTABLE.has(mediaType);
}
