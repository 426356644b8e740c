// flatten: all layers of an image as one, with what a container would see of them.

import type { Scope } from "@teu/base/scope";

import { Spool } from "../files/spool.ts";
import { readTree } from "../files/read-tree.ts";
import { treeTar } from "../files/tree-tar.ts";
import type { ImageTransform, ImageValue } from "../values/image-value.ts";
import { configOf } from "../values/image-value.ts";
import { type MakeLayerOptions, tarLayer } from "../values/make-layer.ts";
import { inTypesOf, withDiffIds } from "./change-layers.ts";

/** How an image is flattened. */
export interface FlattenOptions extends MakeLayerOptions {
  /** A directory with room for all files of the image, uncompressed. */
  readonly temporary: string;
  /** What its history says of it. */
  readonly createdBy?: string;
}

/** An image with one layer. Images with the same files, owners and times give the same layer, however theirs were cut. */
export function flatten(options: FlattenOptions): ImageTransform {
  const { createdBy = "teu image flatten" } = options;
  return (image) =>
    image.with(async (parts, scope) => {
      const config = configOf(image.name, parts);
      // Times are brought back while the tar is written.
      const { latestNs: _latest, ...packing } = options;
      const layer = tarLayer((inner) => unionTar(inner, image, options), packing);
      const { created } = config;
      const entry = { ...(created === undefined ? {} : { created }), created_by: createdBy };
      return {
        ...parts,
        config: withDiffIds(config, [await layer.diffId(scope)], [entry]),
        layers: [inTypesOf(parts, layer)],
      };
    });
}

async function* unionTar(
  scope: Scope,
  image: ImageValue,
  { temporary, latestNs }: FlattenOptions,
): AsyncIterable<Uint8Array> {
  using spool = new Spool(temporary);
  const tree = await readTree(scope, image, { content: () => spool.take() });
  const clamp = latestNs === undefined ? {} : { latestNs };
  yield* treeTar(scope, tree, { open: (facts) => spool.open(facts), ...clamp });
}
