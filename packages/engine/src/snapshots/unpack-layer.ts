// Unpacks one layer blob beside its place, verifies it, and lets it appear.

import { mkdirSync } from "node:fs";

import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import { chainIdOf } from "@teu/image/chain-id";
import { ChunkMemory } from "@teu/image/chunk-memory";
import { parseDigest } from "@teu/image/digest";
import { applyLayer } from "@teu/image/layer/apply";

import { getLayer, type LayerRow, putLayer } from "../store/layer-rows.ts";
import { addLayer } from "./add-layer.ts";
import { makeLike, removeMoved, scratchPath } from "./directory.ts";
import { layersDown, type SnapshotContext } from "./overlay-snapshots.ts";
import type { UnpackOptions } from "./snapshots.ts";

/** See `Snapshots.unpack`. */
export async function unpackLayer(scope: Scope, context: SnapshotContext, options: UnpackOptions): Promise<LayerRow> {
  const { descriptor, parent } = options;
  if (parent !== null) context.keep?.(parent);
  if (options.diffId !== undefined) {
    const chainId = chainIdOf(parent, options.diffId);
    context.keep?.(chainId);
    const present = getLayer(context.db, chainId);
    if (present?.blob !== null && present !== null) return present;
    if (present !== null) {
      putLayer(context.db, { ...present, blob: descriptor }, scope.now());
      return present;
    }
  }
  const lower = parent === null ? [] : layersDown(context, parent).map((row) => context.paths.layer(row.chainId));
  const digest = parseDigest(descriptor.digest);
  const directory = scratchPath(context.paths.scratch);
  mkdirSync(context.paths.scratch, { recursive: true, mode: 0o700 });
  makeLike(directory, lower[0]);
  try {
    const memory = new ChunkMemory();
    const applied = await applyLayer(scope, {
      // The unpacking itself compares size and digest.
      source: options.source ?? context.content.read(scope, digest, { unverified: true, memory }),
      mediaType: descriptor.mediaType,
      target: directory,
      lower,
      descriptorSize: descriptor.size,
      expectedDigest: digest,
      ...(options.diffId === undefined ? {} : { expectedDiffId: options.diffId }),
    });
    memory.giveBack();
    const chainId = chainIdOf(parent, applied.diffId);
    const size = applied.uncompressedSize;
    return await addLayer(scope, context, directory, {
      chainId,
      parent,
      diffId: applied.diffId,
      blob: descriptor,
      size,
    });
  } catch (error) {
    await removeMoved(cleanupScope(scope, REMOVAL_PATIENCE), directory);
    throw error;
  }
}
