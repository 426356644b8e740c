// Writes to a process's stdin without ever waiting for it: what does not fit is kept, and the sender told to pause.
// portable: no host types here.

import { EPOLLOUT } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop, Watch } from "../loop/event-loop.ts";

/** Writer of a pipe or pty master. */
export class InputWriter {
  readonly #kernel: Kernel;
  readonly #loop: EventLoop;
  readonly #owned: boolean;
  #fd: number;
  #watch: Watch | undefined;
  #queue: Uint8Array[] = [];
  #closing = false;
  #drained: (() => void)[] = [];

  /** `fd` is nonblocking; -1: no stdin. `owned`: closing the input closes it (a pipe; a pty's other direction lives on). */
  constructor(kernel: Kernel, loop: EventLoop, fd: number, owned: boolean) {
    this.#kernel = kernel;
    this.#loop = loop;
    this.#fd = fd;
    this.#owned = owned;
  }

  /** Is there still somebody to write to? */
  get open(): boolean {
    return this.#fd >= 0 && !this.#closing;
  }

  /** Queues `data`; false when the sender should wait for `onDrained`. Data for a closed stdin is dropped, as a shell would. */
  write(data: Uint8Array): boolean {
    if (!this.open || data.length === 0) return true;
    this.#queue.push(data);
    this.#flush();
    return this.#queue.length === 0;
  }

  /** Calls `handler` once when all that was written is gone, or never can be. */
  onDrained(handler: () => void): void {
    if (this.#queue.length === 0) handler();
    else this.#drained.push(handler);
  }

  /** End of input, after what is queued. A pty's is not ended: a terminal has no end of file, only a user who types ^D. */
  end(): void {
    if (!this.#owned || !this.open) return;
    this.#closing = true;
    if (this.#queue.length === 0) this.close();
  }

  /** Gives up at once. */
  close(): void {
    this.#queue = [];
    this.#watch?.close();
    this.#watch = undefined;
    if (this.#owned && this.#fd >= 0) this.#kernel.fs.close(this.#fd);
    this.#fd = -1;
    this.#tellDrained();
  }

  #flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Uint8Array;
      let count: number;
      try {
        count = this.#kernel.fs.writeSome(this.#fd, first);
      } catch (error) {
        if (!isSysError(error)) throw error;
        if (error.errno === "EAGAIN") this.#wait();
        else this.close(); // EPIPE, EIO: nobody reads any more
        return;
      }
      if (count === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(count);
    }
    this.#watch?.close();
    this.#watch = undefined;
    if (this.#closing) this.close();
    else this.#tellDrained();
  }

  #wait(): void {
    if (this.#watch !== undefined) return;
    // A pty master is watched for reading already under the same descriptor: epoll takes a second number for it.
    const fd = this.#owned ? this.#fd : this.#kernel.fs.dup(this.#fd, 3);
    const watch = this.#loop.watch(fd, EPOLLOUT, () => this.#flush());
    this.#watch = {
      modify: watch.modify,
      suspend: watch.suspend,
      close: () => {
        watch.close();
        if (fd !== this.#fd) this.#kernel.fs.close(fd);
      },
    };
  }

  #tellDrained(): void {
    const handlers = this.#drained;
    this.#drained = [];
    for (const handler of handlers) handler();
  }
}
