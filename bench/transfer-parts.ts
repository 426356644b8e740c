// An image for benchmarks of transfers: ten layers of 20 MB.

import { createScope } from "@teu/base/scope";
import type { DiskContentStore } from "@teu/image/disk-content-store";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { packLayer } from "@teu/image/layer/pack";
import { hostPlatform } from "@teu/image/platform";
import type { Descriptor } from "@teu/specs/image";

import { layerOfWords } from "./words.ts";

/** Of the image. */
export const LAYERS = 10;
/** 43 MB of tar, 20 MB of gzip. */
const FILES = 650;
const scope = createScope();

/** The image, in a store of its own. Layers that the peers have not seen, compressed as `docker push` does. */
export async function makeImage(store: DiskContentStore): Promise<Descriptor> {
  let config = emptyImageConfig(hostPlatform());
  const layers: Descriptor[] = [];
  for (let index = 0; index < LAYERS; index++) {
    const layer = await packLayer(scope, {
      source: layerOfWords(`layer-${index}`, FILES, 66_000),
      store,
      compression: "gzip",
    });
    config = withLayer(config, layer.diffId);
    layers.push(layer.descriptor);
  }
  const written = await writeImageConfig(scope, store, config);
  return writeManifest(scope, store, { config: written, layers });
}
