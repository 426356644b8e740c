// What a container is doing, read from the files of its shim. No process is started and no socket asked: listing many must be cheap.
// A state file alone proves nothing (kill -9, reboot); the shim's lock does, since the kernel drops it with the shim.

import { existsSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import { FileLock } from "@teu/files/file-lock";
import type { ExitRecord, ShimState } from "@teu/shim/protocol";

import { readIfThere } from "../store/file-places.ts";
import type { ContainerPaths } from "../store/paths.ts";

/** "prepared": made by the runtime, its shim waits for `start`. "lost": it ran, and its end was not recorded. */
export type Phase = "created" | "prepared" | "running" | "paused" | "exited" | "lost";

/** The life of a container at one moment. */
export interface Life {
  readonly phase: Phase;
  /** Host pid of init; 0 when there is none. */
  readonly pid: number;
  readonly startedAt: string | null;
  readonly exit: ExitRecord | null;
}

/** Reads it. */
export function readLife(paths: ContainerPaths): Life {
  const state = readState(paths);
  if (state !== null && state.status !== "stopped" && shimLives(paths)) {
    const phase = state.status === "created" ? "prepared" : state.status;
    return { phase, pid: state.pid, startedAt: state.startedAt, exit: null };
  }
  // Read after the lock was found free: a shim writes the record before it lets go.
  const exit = readExit(paths);
  if (exit !== null) return { phase: "exited", pid: 0, startedAt: exit.startedAt, exit };
  const ended = { pid: 0, startedAt: state?.startedAt ?? null, exit: null };
  // A shim that has its lock but said nothing yet is starting.
  if (state === null && shimLives(paths)) return { phase: "prepared", ...ended };
  // Files for a shim that never took its lock: a start that is being prepared, or was cut off there. Nothing has lived.
  if (existsSync(paths.shimConfig)) return { phase: existsSync(paths.shimLock) ? "lost" : "created", ...ended };
  // A bundle is written at start, and removed with a start that failed: it tells of a life also after a reboot.
  return { phase: existsSync(paths.spec) ? "lost" : "created", ...ended };
}

/** Whether a shim holds its lock. */
function shimLives(paths: ContainerPaths): boolean {
  // Trying a lock makes the file, and a shim that starts just now would find it taken: so only where one was.
  if (!existsSync(paths.shimLock)) return false;
  using lock = FileLock.tryAcquire(paths.shimLock, { shared: true });
  return lock === null;
}

/** The exit record; null when there is none. */
export function readExit(paths: ContainerPaths): ExitRecord | null {
  return readJson<ExitRecord>(paths.passingExitFile) ?? readJson<ExitRecord>(paths.exitFile);
}

/** The shim's last state; null when there is none. */
function readState(paths: ContainerPaths): ShimState | null {
  return readJson<ShimState>(paths.state);
}

function readJson<T>(path: string): T | null {
  const text = readIfThere(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new TeuError({ code: "corrupt", op: "read state", subject: path, message: "the file is not JSON", cause });
  }
}
