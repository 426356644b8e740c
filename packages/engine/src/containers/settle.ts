// What has to be done once a container's life is over, by whoever notices first: finish a dead shim's work, give the network back,
// remove what was to be removed. Every step may be repeated.

import { existsSync, rmSync } from "node:fs";

import { isTeuError } from "@teu/base/errors";
import { cleanupScope, type Scope } from "@teu/base/scope";
import { FileLock } from "@teu/files/file-lock";
import { removeTreeSync } from "@teu/files/remove-tree";
import { replaceFile } from "@teu/files/replace-file";
import type { ExitRecord } from "@teu/shim/protocol";

import { requireProgram } from "../programs.ts";
import { moveAway, removeMoved } from "../snapshots/directory.ts";
import { deleteContainer, getContainer, hasContainer } from "../store/container-rows.ts";
import { releaseNetwork } from "../store/network-rows.ts";
import { discardVolume } from "../volumes/discard-volume.ts";
import type { ContainerContext } from "./context.ts";
import { type Life, readExit, readLife } from "./life.ts";
import { killAndWait } from "./shim/connection.ts";

/** Longest that a killed container may take to be torn down, milliseconds. */
const END_PATIENCE = 60_000;
/** A starting shim has no socket yet, and nothing that could be waited for; milliseconds. */
const START_POLL = 20;

/** Lives that are over, or were never begun. */
export function isOver(life: Life): boolean {
  return life.phase === "created" || life.phase === "exited" || life.phase === "lost";
}

/** The container's lock: held by whoever starts, settles or removes it. Null when the container is gone. */
export async function lockContainer(scope: Scope, context: ContainerContext, id: string): Promise<FileLock | null> {
  return stillThere(context, id, await FileLock.acquire(scope, context.paths.container(id).lock));
}

/** As `lockContainer`, but also null when another process holds it. */
export function tryLockContainer(context: ContainerContext, id: string): FileLock | null {
  const lock = FileLock.tryAcquire(context.paths.container(id).lock);
  return lock === null ? null : stillThere(context, id, lock);
}

// Locking makes the lock's file: for a container that was removed meanwhile it must not stay.
function stillThere(context: ContainerContext, id: string, lock: FileLock): FileLock | null {
  if (hasContainer(context.db, id)) return lock;
  rmSync(lock.path, { force: true });
  lock[Symbol.dispose]();
  return null;
}

/**
 * Brings the files of a container whose shim is gone into order; call with its lock held. Returns its life afterwards.
 * @throws TeuError when a dead shim's container cannot be cleaned up.
 */
export async function settle(scope: Scope, context: ContainerContext, id: string): Promise<Life> {
  const paths = context.paths.container(id);
  const life = readLife(paths);
  if (!isOver(life)) return life;
  if (life.phase === "lost") await finishLost(scope, context, id);
  // A start that was cut off before its shim: what it wrote tells of no life.
  if (life.phase === "created") removeTreeSync(paths.bundle);
  // Read before the run directory goes: it holds the record of a container that vanishes.
  const settled = readLife(paths);
  releaseNetwork(context.db, id);
  const elsewhere = settled.exit === null || (await keepRecord(scope, context, id, settled.exit));
  if (elsewhere && existsSync(paths.run)) removeTreeSync(paths.run);
  return settled;
}

/**
 * Sees to it that the record is outside of the run directory. False: it is not, and so the directory must stay, or a kill before
 * the row goes would leave a container of which nothing tells that it has ended. That of a container that vanishes never is; one that
 * the disk had no room for when it was made is brought to its place, if there is room now.
 */
async function keepRecord(scope: Scope, context: ContainerContext, id: string, exit: ExitRecord): Promise<boolean> {
  const paths = context.paths.container(id);
  if (existsSync(paths.exitFile)) return true;
  if (isPassing(context, id)) return false;
  try {
    await replaceFile(paths.exitFile, JSON.stringify(exit));
    return true;
  } catch (error) {
    if (!isTeuError(error, "exhausted")) throw error;
    scope.log.debug("exit record stays in RUNROOT", { id, error });
    return false;
  }
}

/** Whether nobody asks for the exit record of this container after a reboot. */
function isPassing(context: ContainerContext, id: string): boolean {
  const row = getContainer(context.db, id);
  return row === null || row.autoRemove || row.owner !== null;
}

/**
 * Runs a step of removing the container `id`. When the disk is full, what the container wrote goes first, and the step is tried
 * again: removing must never need room that only removing makes. The container is over, and its lock held.
 */
export async function withRoom<T>(
  scope: Scope,
  context: ContainerContext,
  id: string,
  step: () => Promise<T> | T,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!isTeuError(error, "exhausted") || !isOver(readLife(context.paths.container(id)))) throw error;
    await removeMoved(scope, context.paths.workspace(id));
    return await step();
  }
}

async function finishLost(scope: Scope, context: ContainerContext, id: string): Promise<void> {
  const paths = context.paths.container(id);
  // After a reboot there is no run directory at all.
  if (existsSync(paths.shimConfig)) {
    const { cleanUpAfterShim } = await import("./shim/spawn.ts");
    await cleanUpAfterShim(
      cleanupScope(scope, 30_000),
      requireProgram(context.options.shim ?? "teu-shim", "clean up after shim"),
      paths.shimConfig,
    );
    if (readExit(paths) !== null) return;
  }
  const record: ExitRecord = {
    code: 255,
    signal: 0,
    oomKilled: false,
    startedAt: null,
    finishedAt: new Date(scope.now()).toISOString(),
    error: "the container's end was not seen: the host was restarted",
  };
  await replaceFile(paths.exitFile, JSON.stringify(record));
}

/** Kills a container and waits until its shim is done, also one that is only just starting. @throws TeuError `timeout`, `unavailable`. */
export async function endContainer(scope: Scope, context: ContainerContext, id: string): Promise<void> {
  const paths = context.paths.container(id);
  const patience = scope.withTimeout(END_PATIENCE);
  for (let life = readLife(paths); !isOver(life); life = readLife(paths)) {
    patience.check("end container");
    await killAndWait(patience, paths.shimSocket, life.phase === "paused");
    if (!isOver(readLife(paths))) await new Promise((resolve) => setTimeout(resolve, START_POLL));
  }
}

/** Removes row, workspace and directories of a container that is over; call with its lock held. */
export async function discardContainer(
  scope: Scope,
  context: ContainerContext,
  id: string,
  anonymousVolumes: boolean,
): Promise<void> {
  const { db, paths } = context;
  const places = paths.container(id);
  const row = getContainer(db, id);
  const volumes = (row?.settings.mounts ?? []).flatMap((mount) =>
    mount.kind === "volume" && mount.anonymous ? [mount.name] : [],
  );
  const rubbish: (string | null)[] = [];
  // The container's row before its directories: what is left without one is swept by the next prune. Volumes are not swept, and so
  // leave their place before their row goes.
  await withRoom(scope, context, id, () =>
    db.transaction(() => {
      deleteContainer(db, id);
      if (anonymousVolumes) rubbish.push(...volumes.map((name) => discardVolume(context, name)));
    }),
  );
  removeTreeSync(places.run);
  for (const directory of [places.directory, paths.workspace(id)]) rubbish.push(moveAway(directory, paths.scratch));
  for (const away of rubbish) if (away !== null) await removeMoved(scope, away);
  rmSync(places.lock, { force: true });
}
