// The cgroup above all containers' cgroups, /teu: runtimes make it with the first child, and nobody but the shims knows which is the last.
// A runtime makes parent and child one after the other, so nobody may remove the parent while one is creating: every shim on this
// host holds a shared lock on the cgroup mount meanwhile, whatever its RUNROOT. Removing needs the lock for itself.
// portable: no host types here.

import {
  AT_FDCWD,
  AT_REMOVEDIR,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop } from "../loop/event-loop.ts";
import { sleep } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import { readProc } from "../process/process-facts.ts";
import { CGROUP_PARENT } from "../protocol.ts";
import { cgroupPoints } from "./leftover-cgroups.ts";

const LOCKED = "/sys/fs/cgroup";
const PAUSE_MS = 2;
/** Removing takes others a millisecond. Who still creates after all tries has a container whose end comes later than ours. */
const REMOVE_TRIES = 20;

/** Keeps the parent from being removed until disposed: around `RUNTIME create`. */
export function* keepCgroupParent(kernel: Kernel, loop: EventLoop): Task<Disposable> {
  const fd = openLocked(kernel);
  if (fd === null) return { [Symbol.dispose]: () => {} };
  // The holder of the other lock has nothing to wait for: it is soon done.
  while (!tryLock(kernel, fd, LOCK_SH)) yield* sleep(loop, PAUSE_MS);
  return { [Symbol.dispose]: () => kernel.fs.close(fd) };
}

/** Removes the parent from every hierarchy in which it is empty. */
export function* removeEmptyCgroupParent(kernel: Kernel, loop: EventLoop): Task<void> {
  const fd = openLocked(kernel);
  if (fd === null) return;
  try {
    for (let left = REMOVE_TRIES; !tryLock(kernel, fd, LOCK_EX); left--) {
      if (left === 0) return;
      yield* sleep(loop, PAUSE_MS);
    }
    for (const point of cgroupPoints(readProc(kernel, "self", "mountinfo"))) {
      if (!removeIfEmpty(kernel, `${point}${CGROUP_PARENT}`)) return;
    }
  } finally {
    kernel.fs.close(fd);
  }
}

/** False: others are below. */
function removeIfEmpty(kernel: Kernel, directory: string): boolean {
  try {
    kernel.fs.unlinkAt(AT_FDCWD, directory, AT_REMOVEDIR);
  } catch (error) {
    if (isSysError(error, "EBUSY") || isSysError(error, "ENOTEMPTY")) return false;
    if (!isSysError(error, "ENOENT") && !isSysError(error, "EROFS")) throw error;
  }
  return true;
}

function openLocked(kernel: Kernel): number | null {
  try {
    return kernel.fs.openat(AT_FDCWD, LOCKED, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  } catch (error) {
    // No cgroups here: no parent either.
    if (isSysError(error, "ENOENT")) return null;
    throw error;
  }
}

function tryLock(kernel: Kernel, fd: number, operation: number): boolean {
  try {
    kernel.fs.flock(fd, operation | LOCK_NB);
    return true;
  } catch (error) {
    if (isSysError(error, "EAGAIN") || isSysError(error, "EWOULDBLOCK")) return false;
    throw error;
  }
}
