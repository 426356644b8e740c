// The socket over which a runtime hands back the pty master of a new terminal (runc's --console-socket, SCM_RIGHTS).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { O_NOCTTY, O_RDWR } from "@teu/sys/constants/fs";
import { AF_UNIX, EPOLLIN, SOCK_NONBLOCK, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop, Watch } from "../loop/event-loop.ts";
import { suspendFor } from "../loop/task.ts";
import type { Settle, Task } from "../loop/task.ts";
import { removeFile } from "../lifecycle/durable-file.ts";

// The descriptor is sent before the runtime returns: this only waits for our own loop.
const WAIT_MS = 5_000;

/** A listening console socket; dispose, more than once if need be, removes it. */
export class ConsoleSocket implements Disposable {
  /** Path to give to the runtime. */
  readonly path: string;
  readonly #kernel: Kernel;
  readonly #loop: EventLoop;
  readonly #file: string;
  #fds: number[] = [];
  #watches: Watch[] = [];
  #master = -1;
  #waiter: Settle<number> | undefined;

  /** Listens at RUNDIR/NAME. `runDirFd`, a descriptor of RUNDIR, keeps the path short enough for sockaddr_un, also in the runtime. */
  constructor(
    kernel: Kernel,
    loop: EventLoop,
    where: { readonly runDir: string; readonly runDirFd: number; readonly name: string },
  ) {
    this.#kernel = kernel;
    this.#loop = loop;
    this.#file = `${where.runDir}/${where.name}`;
    this.path = `/proc/${kernel.process.getpid()}/fd/${where.runDirFd}/${where.name}`;
    removeFile(kernel, this.#file);
    const fd = kernel.socket.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    this.#fds.push(fd);
    kernel.socket.bindUnix(fd, this.path);
    kernel.socket.listen(fd, 1);
    this.#watches.push(loop.watch(fd, EPOLLIN, () => this.#accept(fd)));
  }

  /** The master, nonblocking, the caller's. @throws TeuError `timeout` when the runtime sent none. */
  *master(): Task<number> {
    const limit = { milliseconds: WAIT_MS, op: "receive terminal", what: "terminal from the runtime" };
    const fd = yield* suspendFor<number>(this.#loop, limit, (settle) => {
      if (this.#master >= 0) settle.resolve(this.#master);
      else this.#waiter = settle;
    });
    this.#master = -1;
    if (!this.#kernel.terminal.isTerminal(fd)) {
      this.#kernel.fs.close(fd);
      throw new TeuError({ code: "internal", op: "receive terminal", message: "what the runtime sent is no terminal" });
    }
    this.#kernel.fs.setNonblock(fd, true);
    return fd;
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch.close();
    for (const fd of this.#fds) this.#kernel.fs.close(fd);
    this.#watches = [];
    this.#fds = [];
    if (this.#master >= 0) this.#kernel.fs.close(this.#master);
    this.#master = -1;
    removeFile(this.#kernel, this.#file);
  }

  #accept(listener: number): void {
    const fd = this.#kernel.socket.accept(listener);
    if (fd < 0) return;
    this.#fds.push(fd);
    const watch = this.#loop.watch(fd, EPOLLIN, () => this.#receive(fd, watch));
    this.#watches.push(watch);
  }

  #receive(fd: number, watch: Watch): void {
    try {
      const { data, fds } = this.#kernel.socket.receiveMessage(fd, 4096);
      if (data.length === 0 && fds.length === 0) watch.suspend();
      for (const received of fds) this.#keep(received);
    } catch (error) {
      if (!isSysError(error)) throw error;
      if (error.errno !== "EAGAIN") watch.suspend();
    }
  }

  // One terminal is asked for; whatever else comes is closed.
  #keep(fd: number): void {
    if (this.#waiter !== undefined) {
      this.#waiter.resolve(fd);
      this.#waiter = undefined;
    } else if (this.#master < 0) {
      this.#master = fd;
    } else {
      this.#kernel.fs.close(fd);
    }
  }
}

/**
 * Opens the container's side of `master` (TIOCGPTPEER, not by path: CVE-2025-52565). While it is open, the master never
 * reports a hang-up, even when the container closes its terminal for a moment.
 */
export function openPeer(kernel: Kernel, master: number): number {
  return kernel.terminal.peer(master, O_RDWR | O_NOCTTY);
}
