// Turns a workspace's upper directory into a layer: its difference is packed into a blob, and the directory itself becomes the layer.

import type { Scope } from "@teu/base/scope";
import { chainIdOf } from "@teu/image/chain-id";
import { diffOverlay } from "@teu/image/layer/diff";

import { deleteWorkspace, getWorkspace, type LayerRow } from "../store/layer-rows.ts";
import { addLayer } from "./add-layer.ts";
import { removeMoved } from "./directory.ts";
import { noWorkspace, type SnapshotContext, workspaceOf } from "./overlay-snapshots.ts";
import type { CommitOptions } from "./snapshots.ts";

/** See `Snapshots.commit`. */
export async function commitWorkspace(
  scope: Scope,
  context: SnapshotContext,
  key: string,
  options: CommitOptions,
): Promise<LayerRow> {
  const found = getWorkspace(context.db, key);
  if (found === null) throw noWorkspace(key);
  const workspace = workspaceOf(context, key, found.parent);
  const { packLayer } = await import("@teu/image/layer/pack");
  const packed = await packLayer(scope, {
    source: diffOverlay(scope, {
      upper: workspace.upper,
      lower: workspace.lower,
      ...(options.latestNs === undefined ? {} : { latestNs: options.latestNs }),
    }),
    store: context.content,
    compression: options.compression ?? "gzip",
  });
  const chainId = chainIdOf(workspace.parent, packed.diffId);
  const row = await addLayer(scope, context, workspace.upper, {
    chainId,
    parent: workspace.parent,
    diffId: packed.diffId,
    blob: packed.descriptor,
    size: packed.uncompressedSize,
  });
  deleteWorkspace(context.db, key);
  await removeMoved(scope, context.paths.workspace(key));
  return row;
}
