// RUNROOT/network.lock: one shim at a time makes or removes a bridge and its table.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, LOCK_EX, LOCK_NB, O_CLOEXEC, O_CREAT, O_RDWR } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop } from "../loop/event-loop.ts";
import { sleep } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";

// The holder works for some milliseconds; fifty shims at once still get their turn.
const WAIT_MS = 30_000;
const RETRY_MS = 5;

/**
 * Takes the lock without blocking the loop; dispose releases it.
 * @throws TeuError `timeout`.
 */
export function* takeNetworkLock(kernel: Kernel, loop: EventLoop, runRoot: string): Task<Disposable> {
  const path = `${runRoot}/network.lock`;
  const fd = kernel.fs.openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
  const deadline = kernel.host.monotonicNs() + BigInt(WAIT_MS) * 1_000_000n;
  for (;;) {
    try {
      kernel.fs.flock(fd, LOCK_EX | LOCK_NB);
      return { [Symbol.dispose]: () => kernel.fs.close(fd) };
    } catch (error) {
      const busy = isSysError(error, "EAGAIN") || isSysError(error, "EWOULDBLOCK");
      if (busy && kernel.host.monotonicNs() < deadline) {
        yield* sleep(loop, RETRY_MS);
        continue;
      }
      kernel.fs.close(fd);
      if (!busy) throw error;
      throw new TeuError({
        code: "timeout",
        op: "lock the network",
        subject: path,
        message: `held by another shim for ${WAIT_MS} ms`,
      });
    }
  }
}
