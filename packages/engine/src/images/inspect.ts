// image inspect: an image in the shape that Docker's API has.

import type { Scope } from "@teu/base/scope";
import { familiarText, parseReference } from "@teu/image/reference";

import type { Platform } from "@teu/specs/image";

import { layerChain } from "../store/layer-rows.ts";
import { listImageNames } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import { imageFacts, NO_TIME } from "./image-facts.ts";
import { imageOf } from "./image-of.ts";
import type { ImageInspect } from "./images.ts";

/** See `Images.inspect`. */
export async function inspectImage(
  scope: Scope,
  context: ImageContext,
  ref: string,
  platform: Platform | undefined,
): Promise<ImageInspect> {
  const found = findImage(context.db, ref, platform);
  const names = listImageNames(context.db, found.row.id);
  const image = await imageOf(scope, context, found, names);
  const familiar = (name: string) => familiarText(parseReference(name));
  const tagged = Math.max(0, ...names.map((name) => name.taggedAt));
  const { RootFS, Descriptor, Config, ...facts } = imageFacts({
    id: image.id,
    tags: image.names.map(familiar),
    digests: image.repoDigests.map(familiar),
    config: image.config,
    size: image.size,
    target: image.target,
  });
  return {
    ...facts,
    GraphDriver: { Name: "overlay", Data: directories(context, image.chainId) },
    RootFS,
    Metadata: { LastTagTime: tagged === 0 ? NO_TIME : new Date(tagged).toISOString() },
    Descriptor,
    Config,
  };
}

function directories(context: ImageContext, chainId: string | null): Record<string, string> {
  const [top, ...lower] =
    chainId === null ? [] : layerChain(context.db, chainId).map((row) => context.paths.layer(row.chainId));
  return {
    ...(top === undefined ? {} : { UpperDir: top }),
    ...(lower.length === 0 ? {} : { LowerDir: lower.join(":") }),
  };
}
