// Layers in another compression. Their tars, and so the image's id, stay what they are.

import type { Compression } from "../compression/detect.ts";
import { layerCompression } from "../compression/detect.ts";
import type { ContentStore } from "../content-store.ts";
import { isDistributable } from "../internal/distributable.ts";
import type { ImageTransform } from "../values/image-value.ts";
import { type CheckedDescriptor, layerTar, type LayerValue, withDescriptor } from "../values/layer-value.ts";
import { tarLayer } from "../values/make-layer.ts";
import { once } from "../values/once.ts";
import { inTypesOf } from "./change-layers.ts";

/** How layers are to be. */
export interface RecompressOptions {
  readonly compression: Compression;
  readonly level?: number;
  /** Where the new blobs are kept; it must outlive the image. */
  readonly scratch: ContentStore;
  /** Also layers that have this compression already, as for another level. */
  readonly force?: boolean;
}

/** Indexes of a blob's inside, by who reads them: they would lie about another blob. */
const ABOUT_BLOB =
  /^(?:containerd\.io\/snapshot\/stargz\/|io\.github\.containers\.zstd-chunked\.|io\.containers\.estargz\.)/;

/** An image with layers in another compression; layers that are not ours to distribute stay. */
export function recompress(options: RecompressOptions): ImageTransform {
  return (image) =>
    image.with(async (parts, scope) => {
      const layers: LayerValue[] = [];
      for (const layer of parts.layers) {
        const descriptor = await layer.descriptor(scope);
        const found = layerCompression(descriptor.mediaType);
        const stays = !isDistributable(descriptor.mediaType) || found === null;
        const isSo = found === options.compression && options.force !== true;
        layers.push(stays || isSo ? layer : inTypesOf(parts, packed(layer, descriptor, options)));
      }
      return { ...parts, layers };
    });
}

function packed(layer: LayerValue, before: CheckedDescriptor, options: RecompressOptions): LayerValue {
  const { scratch, compression, level } = options;
  const made = tarLayer((scope) => layerTar(scope, layer), {
    scratch,
    compression,
    ...(level === undefined ? {} : { level }),
  });
  const kept = Object.entries(before.annotations ?? {}).filter(([key]) => !ABOUT_BLOB.test(key));
  const annotations = kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) };
  const described = withDescriptor(made, (descriptor) => ({ ...descriptor, ...annotations }));
  // Known from the config: nothing need be read to learn it.
  return { ...described, diffId: once((scope) => layer.diffId(scope)) };
}
