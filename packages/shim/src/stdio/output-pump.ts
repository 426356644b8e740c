// Reads one output stream of a process and hands every piece on. Can be told to wait, and to come to an end.
// portable: no host types here.

import { EPOLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop, Watch } from "../loop/event-loop.ts";

const CHUNK = 65_536;

/** Reader of a pipe or pty master, which it owns. */
export class OutputPump {
  readonly #kernel: Kernel;
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #sink: (data: Uint8Array) => void;
  readonly #ended: () => void;
  #open = true;

  /** `fd` is nonblocking. `ended` is called once: at end of file, or by `close`. */
  constructor(kernel: Kernel, loop: EventLoop, fd: number, sink: (data: Uint8Array) => void, ended: () => void) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#sink = sink;
    this.#ended = ended;
    this.#watch = loop.watch(fd, EPOLLIN, () => this.#read());
  }

  get open(): boolean {
    return this.#open;
  }

  /** Leaves the data where it is: the process will block when its pipe is full. */
  pause(): void {
    if (this.#open) this.#watch.suspend();
  }

  resume(): void {
    if (this.#open) this.#watch.modify(EPOLLIN);
  }

  /** Ends now, without reading what may still be there. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    this.#kernel.fs.close(this.#fd);
    this.#ended();
  }

  #read(): void {
    let data: Uint8Array;
    try {
      data = this.#kernel.fs.read(this.#fd, CHUNK);
    } catch (error) {
      if (isSysError(error, "EAGAIN")) return;
      // EIO is how a pty says that its last other side is closed.
      if (!isSysError(error)) throw error;
      this.close();
      return;
    }
    if (data.length === 0) this.close();
    else this.#sink(data);
  }
}
