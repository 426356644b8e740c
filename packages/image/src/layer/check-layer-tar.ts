// Whether some bytes are a tar that can be a layer: what would be refused when it is unpacked is refused when it is added.

import { TeuError } from "@teu/base/errors";

import type { TarEntry } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import { linkTarget, placeOf } from "./entry-place.ts";
import { DEFAULT_LAYER_LIMITS } from "./limits.ts";

/** A reader that throws for names that lead out of the layer, a root that is no directory, and overlayfs' own marks. */
export function layerChecker(): TarReader {
  return new TarReader({ entry: checkLayerEntry, data: () => {}, endEntry: () => {} }, DEFAULT_LAYER_LIMITS);
}

/** @throws TeuError `corrupt` for an entry that no layer may have. */
export function checkLayerEntry(entry: TarEntry): void {
  const place = placeOf(entry.name);
  if (entry.type === "hardlink") linkTarget(entry.name, entry.linkName);
  if (place.kind === "root" && entry.type !== "directory")
    throw refuse(entry, `the root is a ${entry.type} instead of a directory`);
  if (place.kind === "entry" && entry.type === "character" && entry.devMajor === 0 && entry.devMinor === 0)
    throw refuse(entry, "character device 0:0 is overlayfs' own mark for a deleted file");
}

function refuse(entry: TarEntry, message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read layer", subject: entry.name, message });
}
