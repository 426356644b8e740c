// Kills a whole container and waits for its end; for delete --force, failed poststart hooks and an interrupted run.
// portable: no host types here.

import { SIGKILL } from "@teu/sys/constants/process";
import { POLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { ContainerRecord } from "../container/record.ts";
import { isAlive } from "../container/status.ts";
import { isFrozen, setFrozen } from "./cgroup/control.ts";
import { freezerFile } from "./cgroup/record.ts";
import { signalAll } from "./container-processes.ts";

const WAIT_MS = 10_000;

/**
 * A pidfd of init, checked to be the recorded process; null when it is gone. Caller closes. `look` may read /proc/PID meanwhile: what
 * it found is init's when there is a pidfd in the end.
 */
export function openInit(kernel: Kernel, record: ContainerRecord, look: () => void = () => {}): number | null {
  if (record.pid === 0) return null;
  let pidfd = -1;
  try {
    // A pidfd first, then the check: the number may be reused in between, but not what the fd stands for.
    pidfd = kernel.process.pidfdOpen(record.pid, 0);
    look();
    if (isAlive(kernel, record)) return pidfd;
  } catch (error) {
    if (!["ESRCH", "EINVAL", "ENOENT"].some((errno) => isSysError(error, errno))) throw error;
  }
  if (pidfd >= 0) kernel.fs.close(pidfd);
  return null;
}

/** SIGKILL to init, or to everything in the cgroup when the pid namespace is not its own; returns when init is gone. */
export function killContainer(kernel: Kernel, record: ContainerRecord): void {
  const pidfd = openInit(kernel, record);
  try {
    if (pidfd !== null) kernel.process.pidfdSendSignal(pidfd, SIGKILL);
    if (!record.ownPidNamespace || pidfd === null) signalAll(kernel, record, SIGKILL);
    // A frozen process does not die before it is thawed.
    else if (isFrozen(kernel, freezerFile(record.cgroup))) setFrozen(kernel, record.cgroup, false);
    if (pidfd !== null) kernel.poll.pollOne(pidfd, POLLIN, WAIT_MS);
  } finally {
    if (pidfd !== null) kernel.fs.close(pidfd);
  }
}
