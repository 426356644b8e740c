// exec: a further process in a running container. What it does not say for itself it has from the container.

import { posix } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ShimRequest } from "@teu/shim/protocol";
import type { Process } from "@teu/specs/runtime";

import { workspaceOf } from "../snapshots/overlay-snapshots.ts";
import type { ExecOptions, StreamSession } from "./containers.ts";
import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";
import { readLife } from "./life.ts";
import { specInput } from "./prepare-start.ts";
import { askShim } from "./shim/connection.ts";
import { openSession } from "./shim/session.ts";
import { containerProcess } from "./spec/build-spec.ts";
import { requireRunning } from "./stop.ts";

/** See `Containers.exec`. */
export async function execInContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  options: ExecOptions,
): Promise<StreamSession> {
  const { request, socket } = execRequest(context, ref, options, false);
  return openSession(scope, socket, request);
}

/** See `Containers.execDetached`. */
export async function execDetached(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  options: ExecOptions,
): Promise<{ readonly pid: number }> {
  const { request, socket } = execRequest(context, ref, options, true);
  const { pid = 0 } = await askShim(scope, socket, request);
  return { pid };
}

function execRequest(
  context: ContainerContext,
  ref: string,
  options: ExecOptions,
  detach: boolean,
): { request: ShimRequest; socket: string } {
  if (options.command.length === 0 || options.command[0] === "")
    throw new TeuError({ code: "invalid", op: "exec in container", subject: ref, message: "no command" });
  const row = findContainer(context.db, ref);
  const paths = context.paths.container(row.id);
  const life = readLife(paths);
  requireRunning(life, ref, "exec in container");
  if (life.phase === "paused")
    throw new TeuError({
      code: "conflict",
      op: "exec in container",
      subject: ref,
      message: "container is paused",
      hint: "resume it first",
    });
  const workspace = workspaceOf(context.snapshots.context, row.id, row.chainId);
  const user = options.user ?? row.settings.user;
  const privileged = row.settings.privileged || options.privileged === true;
  const settings = {
    ...row.settings,
    user,
    privileged,
    entrypoint: [],
    command: options.command,
    tty: options.tty ?? false,
    env: [...row.settings.env, ...(options.env ?? [])],
    workdir: options.workdir === undefined ? row.settings.workdir : posix.resolve("/", options.workdir),
    groupAdd: options.user === undefined ? row.settings.groupAdd : [],
  };
  const input = specInput(context, { ...row, settings }, workspace);
  const process: Process = containerProcess(input);
  const wants = { stdin: options.stdin ?? false, stdout: options.stdout ?? true, stderr: options.stderr ?? true };
  return {
    socket: paths.shimSocket,
    request: { op: "exec", process, detach, ...(detach ? { stdin: false, stdout: false, stderr: false } : wants) },
  };
}
