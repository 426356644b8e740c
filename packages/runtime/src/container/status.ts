// A container's status, from its record and the kernel (runtime-spec, "State").
// portable: no host types here.

import { O_CLOEXEC, O_NONBLOCK, O_WRONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { State, Status } from "@teu/specs/runtime";
import { isFrozen } from "../linux/cgroup/control.ts";
import { freezerFile } from "../linux/cgroup/record.ts";
import type { ContainerRecord, RecordHead, StateDirectory } from "./record.ts";

/** Names in the state directory. */
export const START_FIFO = "start.fifo";
export const RESULT_FIFO = "result.fifo";

/** Is init alive, and still the process that was recorded? A zombie is not. */
export function isAlive(kernel: Kernel, record: Pick<ContainerRecord, "pid" | "startTime">): boolean {
  if (record.pid === 0) return false;
  const stat = kernel.process.processStat(record.pid);
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
  return statusOfHead(kernel, directory, { ...record, freezerFile: freezerFile(record.cgroup) });
}

/** The same by the head of its record. */
export function statusOfHead(
  kernel: Kernel,
  directory: StateDirectory,
  head: Pick<RecordHead, "pid" | "startTime" | "freezerFile">,
): Status {
  if (head.pid === 0) return "creating";
  if (!isAlive(kernel, head)) return "stopped";
  const waiting = openStart(kernel, directory);
  if (waiting >= 0) kernel.fs.close(waiting);
  if (isFrozen(kernel, head.freezerFile)) return "paused";
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
