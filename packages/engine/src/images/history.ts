// history: the config's history with the layers' sizes.

import type { Scope } from "@teu/base/scope";
import type { HistoryEntry } from "@teu/specs/image";

import { layerChain } from "../store/layer-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage } from "./find.ts";
import { imageOf } from "./image-of.ts";
import type { ImageHistoryEntry } from "./images.ts";

/** See `Images.history`. An image without a history has an entry per layer. */
export async function historyOf(scope: Scope, context: ImageContext, ref: string): Promise<ImageHistoryEntry[]> {
  const image = await imageOf(scope, context, findImage(context.db, ref));
  const sizes =
    image.chainId === null
      ? []
      : layerChain(context.db, image.chainId)
          .map((row) => row.size)
          .toReversed();
  const history: readonly HistoryEntry[] = image.config.history ?? sizes.map(() => ({}));
  let layer = 0;
  return history
    .map((entry) => {
      const emptyLayer = entry.empty_layer === true;
      const created = Date.parse(entry.created ?? "");
      return {
        createdAt: Number.isNaN(created) ? 0 : created,
        createdBy: entry.created_by ?? "",
        comment: entry.comment ?? "",
        emptyLayer,
        size: emptyLayer ? 0 : (sizes[layer++] ?? 0),
      };
    })
    .toReversed();
}
