// The lines of an image's history, wherever the image is.

import type { HistoryEntry, ImageConfig } from "@teu/specs/image";

import type { ImageHistoryEntry } from "./images.ts";

/** Newest first. `sizes` of the layers, lowest first. An image without a history has an entry per layer. */
export function historyEntries(config: ImageConfig, sizes: readonly number[]): ImageHistoryEntry[] {
  const history: readonly HistoryEntry[] = config.history ?? sizes.map(() => ({}));
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
