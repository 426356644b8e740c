// The listening socket of one container: who may connect, and how many at a time.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import { AF_UNIX, EPOLLIN, SOCK_NONBLOCK, SOCK_STREAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { removeFile } from "../lifecycle/durable-file.ts";
import type { EventLoop, Watch } from "../loop/event-loop.ts";
import type { ShimRequest } from "../protocol.ts";
import { Client } from "./client.ts";

/** Clients at a time: each may hold a bounded buffer. */
export const MAX_CLIENTS = 128;

// Out of descriptors: the waiting client keeps the listener ready, which must not become a busy loop.
const ACCEPT_PAUSE_MS = 100;

/** Where it listens. */
export interface ServerOptions {
  readonly runDir: string;
  /** Descriptor of `runDir`: sockaddr_un takes 107 bytes, a path through it is always short enough. */
  readonly runDirFd: number;
  request(client: Client, request: ShimRequest): void;
}

/** RUNDIR/shim.sock */
export class Server {
  readonly #kernel: Kernel;
  readonly #loop: EventLoop;
  readonly #options: ServerOptions;
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #clients = new Set<Client>();
  #onIdle: (() => void) | undefined;
  #listening = true;

  /** Replaces a socket that a dead shim left: the caller holds the lock. */
  constructor(kernel: Kernel, loop: EventLoop, options: ServerOptions) {
    this.#kernel = kernel;
    this.#loop = loop;
    this.#options = options;
    const path = `/proc/self/fd/${options.runDirFd}/shim.sock`;
    removeFile(kernel, `${options.runDir}/shim.sock`);
    this.#fd = kernel.socket.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    kernel.socket.bindUnix(this.#fd, path);
    // Nobody can connect before `listen`: the mode is right from the first moment on.
    kernel.fs.chmodAt(AT_FDCWD, path, 0o600, 0);
    kernel.socket.listen(this.#fd, MAX_CLIENTS);
    this.#watch = loop.watch(this.#fd, EPOLLIN, () => this.#accept());
  }

  /** Takes no more clients and removes the socket; calls `idle` when the last client is gone. */
  close(idle: () => void): void {
    if (this.#listening) {
      this.#listening = false;
      this.#watch.close();
      this.#kernel.fs.close(this.#fd);
      removeFile(this.#kernel, `${this.#options.runDir}/shim.sock`);
    }
    if (this.#clients.size === 0) idle();
    else this.#onIdle = idle;
  }

  #accept(): void {
    let fd: number;
    try {
      fd = this.#kernel.socket.accept(this.#fd);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#watch.suspend();
      this.#loop.after(ACCEPT_PAUSE_MS, () => this.#watch.modify(EPOLLIN));
      return;
    }
    if (fd < 0) return;
    const client = new Client(this.#kernel, this.#loop, fd, {
      request: (from, request) => this.#options.request(from, request),
      closed: (gone) => this.#closed(gone),
    });
    this.#clients.add(client);
    this.#admit(client, fd);
  }

  // The mode of the socket keeps others out; this holds when somebody changes it.
  #admit(client: Client, fd: number): void {
    const { uid } = this.#kernel.socket.peerCredentials(fd);
    const refuse = (code: "denied" | "exhausted", message: string): void =>
      client.fail(new TeuError({ code, op: "connect to shim", message }), "connect to shim");
    if (uid !== 0 && uid !== this.#kernel.process.geteuid())
      refuse("denied", `user ${uid} is neither root nor the shim's`);
    else if (this.#clients.size > MAX_CLIENTS) refuse("exhausted", `${MAX_CLIENTS} clients are connected`);
  }

  #closed(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#onIdle?.();
  }
}
