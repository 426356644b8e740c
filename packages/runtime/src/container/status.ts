// A container's status, from its record and the kernel (runtime-spec, "State").
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_WRONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { State, Status } from "@teu/specs/runtime";
import { isFrozen } from "../linux/cgroup/control.ts";
import type { ContainerRecord, StateDirectory } from "./record.ts";

/** Names in the state directory. */
export const START_FIFO = "start.fifo";
export const RESULT_FIFO = "result.fifo";

/** Of a process in /proc. */
export interface ProcessStat {
  /** "Z": it has ended. */
  readonly letter: string;
  readonly parent: number;
  readonly startTime: number;
  /** Does it block or ignore any signal (of the first 31: the kernel shows no more here)? */
  readonly deaf: boolean;
}

/** Reads it; null when there is no such process. */
export function processStat(kernel: Kernel, pid: number): ProcessStat | null {
  try {
    const text = kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/stat`, 4096);
    // The name, in parentheses, may hold anything, spaces and parentheses included.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ", 31);
    return {
      letter: fields[0] ?? "",
      parent: Number(fields[1]),
      startTime: Number(fields[19]),
      deaf: fields[29] !== "0" || fields[30] !== "0",
    };
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ESRCH")) return null;
    throw error;
  }
}

/** Is init alive, and still the process that was recorded? A zombie is not. */
export function isAlive(kernel: Kernel, record: ContainerRecord): boolean {
  if (record.pid === 0) return false;
  const stat = processStat(kernel, record.pid);
  return stat !== null && stat.startTime === record.startTime && stat.letter !== "Z" && stat.letter !== "X";
}

/** Opens the start FIFO for writing; -1 when nobody waits at its other end. Caller closes. */
export function openStart(kernel: Kernel, directory: StateDirectory): number {
  try {
    // Not there is the common case.
    return kernel.fs.openIfThere(directory.fd, START_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0, 0);
  } catch (error) {
    if (isSysError(error, "ENXIO")) return -1;
    throw error;
  }
}

/** The status now. */
export function statusOf(kernel: Kernel, directory: StateDirectory, record: ContainerRecord): Status {
  if (record.pid === 0) return "creating";
  if (!isAlive(kernel, record)) return "stopped";
  const waiting = openStart(kernel, directory);
  if (waiting >= 0) kernel.fs.close(waiting);
  if (isFrozen(kernel, record.cgroup)) return "paused";
  return waiting >= 0 ? "created" : "running";
}

/** The state as the spec defines it, for hooks. */
export function specState(record: Omit<ContainerRecord, "version">, status: Status, pid: number): State {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    status,
    ...(pid === 0 ? {} : { pid }),
    bundle: record.bundle,
    ...(Object.keys(record.annotations).length === 0 ? {} : { annotations: record.annotations }),
  };
}
