// Makes a finished directory a layer: the one place where layers become visible.

import { existsSync, renameSync } from "node:fs";

import type { Scope } from "@teu/base/scope";

import { getLayer, type LayerRow, putLayer } from "../store/layer-rows.ts";
import { moveAway, removeMoved } from "./directory.ts";
import type { SnapshotContext } from "./overlay-snapshots.ts";

/**
 * Renames `directory` to its place and adds the row, in one transaction; the directory is gone afterwards, also when
 * another process was first (its layer is then the result).
 */
export async function addLayer(
  scope: Scope,
  context: SnapshotContext,
  directory: string,
  row: LayerRow,
): Promise<LayerRow> {
  const { db, paths } = context;
  const place = paths.layer(row.chainId);
  const rubbish: string[] = [];
  context.keep?.(row.chainId);
  const result = db.transaction(() => {
    const present = getLayer(db, row.chainId);
    if (present !== null && existsSync(place)) {
      rubbish.push(directory);
    } else {
      // A directory without a row is what a killed process left: nobody can be using it.
      const left = moveAway(place, paths.scratch);
      if (left !== null) rubbish.push(left);
      renameSync(directory, place);
    }
    putLayer(db, row, scope.now());
    return getLayer(db, row.chainId) ?? row;
  });
  for (const path of rubbish) await removeMoved(scope, path);
  return result;
}
