// A connected client as a buffered, nonblocking byte channel: output queued and counted, input that can be held back.
// portable: no host types here.

import { EPOLLHUP, EPOLLIN, EPOLLOUT, MSG_NOSIGNAL, SHUT_WR } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop, Timer, Watch } from "../loop/event-loop.ts";

const READ = 65_536;
// How long a client that still sends is listened to after its last answer.
const LINGER_MS = 1_000;

/** Who hears of a channel. */
export interface ChannelEvents {
  data(bytes: Uint8Array): void;
  /** The client will send no more; it may still read. */
  ended(): void;
  /** Everything queued has been sent. */
  drained(): void;
  /** The client is gone, or `destroy` was called; nothing comes after it. */
  closed(): void;
}

/** Owns its descriptor. */
export class Channel {
  readonly #kernel: Kernel;
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #watch: Watch;
  #events: ChannelEvents;
  #queue: Uint8Array[] = [];
  #pending = 0;
  #reading = true;
  #inputEnded = false;
  #open = true;
  #lastTimer: Timer | undefined;
  #lingering = false;

  constructor(kernel: Kernel, loop: EventLoop, fd: number, events: ChannelEvents) {
    this.#kernel = kernel;
    this.#loop = loop;
    this.#fd = fd;
    this.#events = events;
    this.#watch = loop.watch(fd, EPOLLIN, (ready) => this.#ready(ready));
  }

  get open(): boolean {
    return this.#open;
  }

  /** Bytes queued and not yet taken by the client. */
  get pending(): number {
    return this.#pending;
  }

  /** Hands the channel to another listener: from request to streams. */
  listen(events: ChannelEvents): void {
    this.#events = events;
  }

  send(bytes: Uint8Array): void {
    if (!this.#open || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#pending += bytes.length;
    if (this.#queue.length === 1) this.#flush();
  }

  pauseInput(): void {
    this.#reading = false;
    this.#update();
  }

  resumeInput(): void {
    this.#reading = true;
    this.#update();
  }

  /** Closes once all is sent, or after `milliseconds`. What the client still sends is dropped. */
  finish(milliseconds: number): void {
    if (!this.#open || this.#lastTimer !== undefined) return;
    this.#lastTimer = this.#loop.after(milliseconds, () => this.destroy());
    if (this.#queue.length === 0) this.#linger();
  }

  destroy(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lastTimer?.cancel();
    this.#queue = [];
    this.#pending = 0;
    this.#watch.close();
    this.#kernel.fs.close(this.#fd);
    this.#events.closed();
  }

  #ready(ready: number): void {
    if (this.#open && (ready & EPOLLOUT) !== 0) this.#flush();
    if (this.#open && (ready & (EPOLLIN | EPOLLHUP)) !== 0 && this.#reading && !this.#inputEnded) this.#read();
    if (!this.#open || (ready & EPOLLHUP) === 0) return;
    // Gone for good. What it sent before is still to be read, unless somebody holds its input back: then later.
    if (this.#inputEnded) this.destroy();
    else if (!this.#reading) this.#watch.suspend();
  }

  #read(): void {
    let data: Uint8Array;
    try {
      data = this.#kernel.fs.read(this.#fd, READ);
    } catch (error) {
      if (isSysError(error, "EAGAIN")) return;
      if (!isSysError(error)) throw error;
      this.destroy(); // ECONNRESET
      return;
    }
    if (data.length > 0) {
      if (!this.#lingering) this.#events.data(data);
      return;
    }
    this.#inputEnded = true;
    if (this.#lingering) {
      this.destroy();
      return;
    }
    this.#update();
    this.#events.ended();
  }

  // A close with unread input makes the client's next write fail, and many clients then throw away what they have not read yet:
  // our last answer. So only our side is closed, and the rest of theirs is read.
  #linger(): void {
    this.#lingering = true;
    if (this.#inputEnded) {
      this.destroy();
      return;
    }
    try {
      this.#kernel.socket.shutdown(this.#fd, SHUT_WR);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.destroy(); // ENOTCONN: gone
      return;
    }
    this.#lastTimer?.cancel();
    this.#lastTimer = this.#loop.after(LINGER_MS, () => this.destroy());
    this.#reading = true;
    this.#update();
  }

  #flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Uint8Array;
      let count: number;
      try {
        count = this.#kernel.socket.send(this.#fd, first, MSG_NOSIGNAL);
      } catch (error) {
        if (!isSysError(error)) throw error;
        if (error.errno === "EAGAIN") this.#update();
        else this.destroy();
        return;
      }
      this.#pending -= count;
      if (count === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(count);
    }
    if (this.#lastTimer !== undefined) {
      this.#linger();
      return;
    }
    this.#update();
    this.#events.drained();
  }

  #update(): void {
    if (!this.#open) return;
    const input = this.#reading && !this.#inputEnded ? EPOLLIN : 0;
    this.#watch.modify(input | (this.#queue.length > 0 ? EPOLLOUT : 0));
  }
}
