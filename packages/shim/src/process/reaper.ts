// Reaps every child and every orphan below the shim (PR_SET_CHILD_SUBREAPER) and tells those who wait for one of them.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { EPOLLIN } from "@teu/sys/constants/socket";
import { EXIT_SIGNALED_BASE, PR_SET_CHILD_SUBREAPER, WNOHANG } from "@teu/sys/constants/process";
import { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM } from "@teu/sys/constants/process";
import type { EventLoop } from "../loop/event-loop.ts";

const SIGPIPE = 13;

/** How a process ended, as a shell sees it. */
export interface Ending {
  /** Exit status, or 128 + signal. */
  readonly code: number;
  /** Signal number, else 0. */
  readonly signal: number;
  /** CLOCK_REALTIME at reaping, nanoseconds. */
  readonly at: bigint;
}

/** The one who calls waitpid. */
export class Reaper {
  readonly #kernel: Kernel;
  readonly #waiting = new Map<number, (ending: Ending) => void>();
  // Endings of children that nobody waits for yet; kept only while some `hold` is open, since pids are used again.
  readonly #early = new Map<number, Ending>();
  #holds = 0;

  /** Becomes a subreaper; from now on SIGCHLD, SIGTERM, SIGINT, SIGHUP and SIGQUIT come through the loop. */
  constructor(kernel: Kernel, loop: EventLoop) {
    this.#kernel = kernel;
    kernel.process.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    kernel.process.ignoreSignal(SIGPIPE);
    // A monitor does not end at a polite request: at shutdown the container must get the chance to end first.
    const fd = kernel.poll.signalfd([SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT]);
    loop.watch(fd, EPOLLIN, () => {
      while (kernel.poll.readSignal(fd) !== null);
      this.#reap();
    });
  }

  /** Calls `ended` once when the child `pid` is gone. To be asked before the next wait of the loop, or under a `hold`. */
  watch(pid: number, ended: (ending: Ending) => void): void {
    const early = this.#early.get(pid);
    if (early === undefined) {
      this.#waiting.set(pid, ended);
      return;
    }
    this.#early.delete(pid);
    ended(early);
  }

  /** Until disposed, endings of unknown children are kept for `watch`: for a child whose pid comes from a file. */
  hold(): Disposable {
    this.#holds++;
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        this.#holds--;
        if (this.#holds === 0) this.#early.clear();
      },
    };
  }

  #reap(): void {
    for (;;) {
      let status: ReturnType<Kernel["process"]["waitpid"]>;
      try {
        status = this.#kernel.process.waitpid(-1, WNOHANG);
      } catch {
        return; // ECHILD: nobody left
      }
      if (status === null) return;
      if (status.kind !== "exited" && status.kind !== "signaled") continue;
      const signal = status.kind === "signaled" ? status.code : 0;
      const code = signal === 0 ? status.code : EXIT_SIGNALED_BASE + signal;
      const ending = { code, signal, at: this.#kernel.host.realtimeNs() };
      const ended = this.#waiting.get(status.pid);
      this.#waiting.delete(status.pid);
      if (ended !== undefined) ended(ending);
      else if (this.#holds > 0) this.#early.set(status.pid, ending);
    }
  }
}
