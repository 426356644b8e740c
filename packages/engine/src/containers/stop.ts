// stop, kill, pause, resume, resize, wait: one word to the shim each, or nothing where the container does not run.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ExitRecord, ShimRequest } from "@teu/shim/protocol";

import type { ContainerRow } from "../store/container-rows.ts";
import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";
import { type Life, readExit, readLife } from "./life.ts";
import { discardContainer, isOver, lockContainer, settle, withRoom } from "./settle.ts";
import { parseSignal } from "./settings/signals.ts";
import { askIfAlive, askShim } from "./shim/connection.ts";

const SIGKILL = 9;
const NEVER_RAN: ExitRecord = {
  code: 0,
  signal: 0,
  oomKilled: false,
  startedAt: null,
  finishedAt: "0001-01-01T00:00:00Z",
  error: null,
};

/** See `Containers.wait`. */
export async function waitForContainer(scope: Scope, context: ContainerContext, ref: string): Promise<ExitRecord> {
  const row = findContainer(context.db, ref);
  const exit = await untilOver(scope, context, row.id);
  const settled = await afterEnd(scope, context, row);
  return exit ?? settled ?? NEVER_RAN;
}

/** Waits for the end of a container, without settling anything; null when that could not be seen. */
export async function untilOver(scope: Scope, context: ContainerContext, id: string): Promise<ExitRecord | null> {
  const paths = context.paths.container(id);
  if (isOver(readLife(paths))) return readExit(paths);
  try {
    return (await askShim(scope, paths.shimSocket, { op: "wait" })).exit ?? null;
  } catch (error) {
    // Ended between the look and the question, or killed: the files tell, once `afterEnd` has settled them.
    if (isTeuError(error, "unavailable")) return null;
    throw error;
  }
}

/** Settles a container that is over and removes it when it was to vanish. Others may be doing the same. */
async function afterEnd(scope: Scope, context: ContainerContext, row: ContainerRow): Promise<ExitRecord | null> {
  using lock = await lockContainer(scope, context, row.id);
  if (lock === null) return null;
  const step = () => settle(scope, context, row.id);
  const life = await (row.autoRemove ? withRoom(scope, context, row.id, step) : step());
  if (isOver(life) && life.phase !== "created" && row.autoRemove) await discardContainer(scope, context, row.id, true);
  return life.exit;
}

/** See `Containers.stop`. */
export async function stopContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  options: { readonly signal?: string; readonly timeoutSeconds?: number } = {},
): Promise<void> {
  const row = findContainer(context.db, ref);
  const signal = options.signal === undefined ? row.settings.stopSignal : parseSignal(options.signal);
  const seconds = options.timeoutSeconds ?? row.settings.stopTimeout;
  if (isOver(readLife(context.paths.container(row.id)))) return;
  await signalInit(scope, context, row, signal);
  const patience = seconds < 0 ? scope : scope.withTimeout(seconds * 1000);
  try {
    await waitForContainer(patience, context, row.id);
  } catch (error) {
    if (!isTeuError(error, "timeout") || scope.signal.aborted) throw error;
    await signalInit(scope, context, row, SIGKILL);
    await waitForContainer(scope, context, row.id);
  }
}

/** See `Containers.kill`. */
export async function killContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  signalName = "KILL",
): Promise<void> {
  const row = findContainer(context.db, ref);
  const signal = parseSignal(signalName);
  requireRunning(readLife(context.paths.container(row.id)), ref, "kill container");
  await signalInit(scope, context, row, signal);
  if (signal === SIGKILL) await waitForContainer(scope, context, row.id);
}

/** Pause, resume, resize. @throws TeuError `conflict` when it does not run. */
export async function tellContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  request: Extract<ShimRequest, { op: "pause" | "resume" | "resize" }>,
): Promise<void> {
  const row = findContainer(context.db, ref);
  const paths = context.paths.container(row.id);
  requireRunning(readLife(paths), ref, `${request.op} container`);
  await askShim(scope, paths.shimSocket, request);
}

/** @throws TeuError `conflict` when it does not run. */
export function requireRunning(life: Life, ref: string, op: string): void {
  if (life.phase === "running" || life.phase === "paused") return;
  throw new TeuError({
    code: "conflict",
    op,
    subject: ref,
    message: "container is not running",
    detail: { phase: life.phase },
  });
}

/** Signals init; one that is gone already has what it was to get. A paused one is thawed, or it could not act on it. */
async function signalInit(scope: Scope, context: ContainerContext, row: ContainerRow, signal: number): Promise<void> {
  const paths = context.paths.container(row.id);
  const paused = readLife(paths).phase === "paused";
  await askIfAlive(scope, paths.shimSocket, { op: "signal", signal });
  if (paused) await askIfAlive(scope, paths.shimSocket, { op: "resume" });
}
