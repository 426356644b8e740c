// shim.lock: held by flock for as long as the shim lives. The kernel drops it on any death, so that a reader who gets it knows.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD, LOCK_EX, LOCK_NB, O_CLOEXEC, O_CREAT, O_RDWR } from "@teu/sys/constants/fs";
import { isSysError } from "@teu/sys/sys-error";

/**
 * Takes the lock of the run directory; returns its descriptor, to be kept until the end.
 * @throws TeuError `conflict` when another shim holds it.
 */
export function takeShimLock(kernel: Kernel, runDir: string): number {
  const fd = kernel.fs.openat(AT_FDCWD, `${runDir}/shim.lock`, O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
  try {
    kernel.fs.flock(fd, LOCK_EX | LOCK_NB);
    return fd;
  } catch (error) {
    kernel.fs.close(fd);
    if (!isSysError(error, "EAGAIN") && !isSysError(error, "EWOULDBLOCK")) throw error;
    throw new TeuError({
      code: "conflict",
      op: "start shim",
      subject: runDir,
      message: "a shim of this container is alive",
    });
  }
}
