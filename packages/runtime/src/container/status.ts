// A container's status, from its record and the kernel (runtime-spec, "State").
// portable: no host types here.

import { O_CLOEXEC, O_NONBLOCK, O_WRONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { State, Status } from "@teu/specs/runtime";
import { isFrozen } from "../linux/cgroup/control.ts";
import { freezerFile } from "../linux/cgroup/record.ts";
import type { ContainerRecord, RecordHead, StatePlace } from "./record.ts";

/** Names in the state directory. */
export const START_FIFO = "start.fifo";
export const RESULT_FIFO = "result.fifo";

/** Is init alive, and still the process that was recorded? A zombie is not. */
export function isAlive(kernel: Kernel, record: Pick<ContainerRecord, "pid" | "startTime">): boolean {
  return stateLetter(kernel, record) !== "";
}

/** The letter of init's state (proc_pid_stat(5)); empty when it is not alive. */
function stateLetter(kernel: Kernel, { pid, startTime }: Pick<ContainerRecord, "pid" | "startTime">): string {
  const stat = pid === 0 ? null : kernel.process.processStat(pid);
  return stat === null || stat.startTime !== startTime || stat.letter === "Z" || stat.letter === "X" ? "" : stat.letter;
}

/** Opens the start FIFO for writing; -1 when nobody waits at its other end. Caller closes. */
export function openStart(kernel: Kernel, { dirfd, prefix }: StatePlace): number {
  try {
    // Not there is the common case.
    return kernel.fs.openIfThere(dirfd, prefix + START_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0, 0);
  } catch (error) {
    if (isSysError(error, "ENXIO")) return -1;
    throw error;
  }
}

/** The status now. */
export function statusOf(kernel: Kernel, place: StatePlace, record: ContainerRecord): Status {
  return statusOfHead(kernel, place, { ...record, freezerFile: freezerFile(record.cgroup) });
}

/** The same by the head of its record. */
export function statusOfHead(
  kernel: Kernel,
  place: StatePlace,
  head: Pick<RecordHead, "pid" | "startTime" | "freezerFile">,
): Status {
  if (head.pid === 0) return "creating";
  const letter = stateLetter(kernel, head);
  if (letter === "") return "stopped";
  const waiting = openStart(kernel, place);
  if (waiting >= 0) kernel.fs.close(waiting);
  if (mayBeFrozen(letter, head.freezerFile) && isFrozen(kernel, head.freezerFile)) return "paused";
  return waiting >= 0 ? "created" : "running";
}

/**
 * What cgroup v1's freezer holds shows as D, before Linux 6.1 because it slept so and since then because the kernel says so
 * (`__task_state_index`). A list of many spends most of its time in the freezers' files, and nearly all inits sleep as S. On v2
 * a frozen process shows as S.
 */
function mayBeFrozen(letter: string, freezer: string): boolean {
  return !(freezer.endsWith("/freezer.state") && (letter === "S" || letter === "R"));
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
