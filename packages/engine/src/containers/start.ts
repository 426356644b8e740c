// start: settle what was before, allocate the network, write the files, spawn one shim, connect the streams, say go.
// A failure at any step undoes the earlier ones; a kill of this process leaves to the shim's timeout and the next command what is left.

import { isTeuError, TeuError } from "@teu/base/errors";
import { cleanupScope, type Scope } from "@teu/base/scope";
import { removeTreeSync } from "@teu/files/remove-tree";
import type { ShimRequest } from "@teu/shim/protocol";

import { allocateNetwork } from "../networks/allocate.ts";
import { requireProgram } from "../programs.ts";
import type { ContainerRow } from "../store/container-rows.ts";
import { releaseNetwork } from "../store/network-rows.ts";
import type { AttachOptions, StreamSession } from "./containers.ts";
import type { ContainerContext } from "./context.ts";
import { diskError } from "./disk-error.ts";
import { findContainer } from "./find.ts";
import { makeVolumes } from "./make-volumes.ts";
import { prepareStart } from "./prepare-start.ts";
import { endContainer, isOver, lockContainer, settle } from "./settle.ts";
import { askShim } from "./shim/connection.ts";
import { openSession } from "./shim/session.ts";
import { spawnShim } from "./shim/spawn.ts";
import { undo } from "./undo.ts";

/** Tries with other ports when one that we chose turns out to be some other program's. */
const PORT_TRIES = 8;

/** See `Containers.start`. Starting a running container does nothing, or attaches. */
export async function startContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  attach?: AttachOptions,
): Promise<StreamSession | null> {
  const row = findContainer(context.db, ref);
  const { id } = row;
  using lock = await lockContainer(scope, context, id);
  if (lock === null)
    throw new TeuError({ code: "not-found", op: "start container", subject: ref, message: "No such container" });
  const life = await settle(scope, context, id);
  if (isOver(life)) await spawnWithNetwork(scope, context, row);
  const socket = context.paths.container(id).shimSocket;
  const session = attach === undefined ? null : await openSession(scope, socket, attachRequest(attach, true));
  if (life.phase === "running" || life.phase === "paused") return session;
  try {
    await askShim(scope, socket, { op: "start" });
    return session;
  } catch (error) {
    await session?.[Symbol.asyncDispose]();
    await undo(scope, "undo the start", () => undoStart(scope, context, row));
    throw error;
  }
}

/** The request for these streams; `wait`: output waits for the client, as in a pipe. */
export function attachRequest(options: AttachOptions, wait: boolean): ShimRequest {
  return {
    op: "attach",
    stdin: options.stdin ?? false,
    stdout: options.stdout ?? true,
    stderr: options.stderr ?? true,
    wait,
  };
}

async function spawnWithNetwork(scope: Scope, context: ContainerContext, row: ContainerRow): Promise<void> {
  const { db, paths } = context;
  const shim = requireProgram(context.options.shim ?? "teu-shim", "start container");
  const chosen = row.settings.publish.some((wish) => wish.hostPort === 0);
  for (let attempt = 1; ; attempt++) {
    try {
      const network = allocateNetwork(db, paths.root, row.id, row.settings);
      await makeVolumes(scope, context, row);
      prepareStart(context, row, network);
      await spawnShim(scope, shim, paths.container(row.id).shimConfig);
      return;
    } catch (error) {
      await undo(scope, "undo the start", () => undoStart(scope, context, row));
      const portTaken = isTeuError(error, "conflict") && error.op === "publish port";
      if (!(portTaken && chosen && attempt < PORT_TRIES)) throw diskError("start container", error);
    }
  }
}

/** After a start that failed nothing has lived: no bundle, no run directory, no address. Also when the start was cancelled. */
async function undoStart(scope: Scope, context: ContainerContext, row: ContainerRow): Promise<void> {
  const paths = context.paths.container(row.id);
  await endContainer(cleanupScope(scope, 20_000), context, row.id);
  releaseNetwork(context.db, row.id);
  for (const path of [paths.run, paths.bundle, paths.exitFile]) removeTreeSync(path);
}
