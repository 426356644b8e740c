// Snapshots as plain directories in overlay format, to be mounted by the shim. Rows say what exists; a directory without
// a row is left over. Order of work: workspace rows before their directories, layer directories before their rows.

import { mkdirSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { Database } from "../store/database.ts";
import {
  addWorkspace,
  deleteWorkspace,
  getLayer,
  getWorkspace,
  type LayerRow,
  layerChain,
  listLayers,
} from "../store/layer-rows.ts";
import { selfOwner } from "../store/owner.ts";
import type { EnginePaths } from "../store/paths.ts";
import { directoryUsage, makeLike, moveAway, removeMoved } from "./directory.ts";
import type { CommitOptions, Layer, Snapshots, UnpackOptions, Usage, Workspace } from "./snapshots.ts";

/** What the snapshots of an engine stand on. */
export interface SnapshotContext {
  readonly db: Database;
  readonly paths: EnginePaths;
  readonly content: ContentStore;
  /** Called with every layer that is found or made, before it is relied on. */
  keep?(chainId: Digest): void;
}

/** See `Snapshots`. */
export class OverlaySnapshots implements Snapshots {
  /** For the engine's own parts. */
  readonly context: SnapshotContext;

  constructor(context: SnapshotContext) {
    this.context = context;
  }

  async get(_scope: Scope, chainId: Digest): Promise<Layer | null> {
    this.context.keep?.(chainId);
    const row = getLayer(this.context.db, chainId);
    return row === null ? null : this.#layer(row);
  }

  async list(_scope: Scope): Promise<Layer[]> {
    return listLayers(this.context.db).map((row) => this.#layer(row));
  }

  async chain(_scope: Scope, chainId: Digest): Promise<Layer[]> {
    this.context.keep?.(chainId);
    return layersDown(this.context, chainId).map((row) => this.#layer(row));
  }

  async unpack(scope: Scope, options: UnpackOptions): Promise<Layer> {
    const { unpackLayer } = await import("./unpack-layer.ts");
    return this.#layer(await unpackLayer(scope, this.context, options));
  }

  async prepare(scope: Scope, key: string, chainId: Digest | null): Promise<Workspace> {
    checkKey(key);
    const { db } = this.context;
    db.transaction(() => {
      if (chainId !== null) layersDown(this.context, chainId);
      if (addWorkspace(db, { key, parent: chainId }, selfOwner(), scope.now())) return;
      throw new TeuError({
        code: "already-exists",
        op: "prepare workspace",
        subject: key,
        message: "the key is in use",
      });
    });
    const workspace = workspaceOf(this.context, key, chainId);
    try {
      makeWorkspace(this.context, workspace);
    } catch (error) {
      await this.remove(cleanupScope(scope, REMOVAL_PATIENCE), key);
      throw error;
    }
    return workspace;
  }

  async workspace(_scope: Scope, key: string): Promise<Workspace | null> {
    const row = getWorkspace(this.context.db, key);
    return row === null ? null : workspaceOf(this.context, key, row.parent);
  }

  async commit(scope: Scope, key: string, options: CommitOptions = {}): Promise<Layer> {
    const { commitWorkspace } = await import("./commit-workspace.ts");
    return this.#layer(await commitWorkspace(scope, this.context, key, options));
  }

  async remove(scope: Scope, key: string): Promise<void> {
    checkKey(key);
    const { db, paths } = this.context;
    deleteWorkspace(db, key);
    const away = moveAway(paths.workspace(key), paths.scratch);
    if (away !== null) await removeMoved(scope, away);
  }

  async usage(_scope: Scope, key: string): Promise<Usage> {
    const row = getWorkspace(this.context.db, key);
    if (row === null) throw noWorkspace(key);
    return directoryUsage(workspaceOf(this.context, key, row.parent).upper);
  }

  #layer(row: LayerRow): Layer {
    return { ...row, directory: this.context.paths.layer(row.chainId) };
  }
}

/** Rows from `chainId` down. `not-found` when one is missing. */
export function layersDown(context: SnapshotContext, chainId: Digest): LayerRow[] {
  const rows = layerChain(context.db, chainId);
  if (rows.length > 0 && rows.at(-1)?.parent === null) return rows;
  throw new TeuError({
    code: "not-found",
    op: "find layer",
    subject: chainId,
    message: "it is not unpacked here",
    hint: "pull or load the image again",
  });
}

/** Paths of a workspace, whether its directories exist or not. */
export function workspaceOf(context: SnapshotContext, key: string, parent: Digest | null): Workspace {
  const directory = context.paths.workspace(key);
  const lower = parent === null ? [] : layersDown(context, parent).map((row) => context.paths.layer(row.chainId));
  return { key, parent, lower, upper: `${directory}/upper`, work: `${directory}/work` };
}

/** Makes the directories of a workspace. */
export function makeWorkspace(context: SnapshotContext, workspace: Workspace): void {
  mkdirSync(context.paths.workspace(workspace.key), { mode: 0o700 });
  mkdirSync(workspace.work, { mode: 0o700 });
  makeLike(workspace.upper, workspace.lower[0]);
}

/** `not-found` for a workspace. */
export function noWorkspace(key: string): TeuError {
  return new TeuError({
    code: "not-found",
    op: "find workspace",
    subject: key,
    message: "there is none with this key",
  });
}

/** Keys become file names. */
function checkKey(key: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(key)) return;
  throw new TeuError({
    code: "invalid",
    op: "prepare workspace",
    subject: key,
    message: 'want 1 to 128 letters, digits, "_", "." or "-", beginning with a letter or digit',
  });
}
