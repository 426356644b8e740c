// history: the config's history with the layers' sizes.

import type { Scope } from "@teu/base/scope";

import { layerChain } from "../store/layer-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import { historyEntries } from "./history-entries.ts";
import { imageOf } from "./image-of.ts";
import type { ImageHistoryEntry } from "./images.ts";

/** See `Images.history`. */
export async function historyOf(scope: Scope, context: ImageContext, ref: string): Promise<ImageHistoryEntry[]> {
  const image = await imageOf(scope, context, findImage(context.db, ref));
  const sizes =
    image.chainId === null
      ? []
      : layerChain(context.db, image.chainId)
          .map((row) => row.size)
          .toReversed();
  return historyEntries(image.config, sizes);
}
