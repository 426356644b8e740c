// What a short-lived program prints, up to a bound; the rest is read and dropped, so that it never blocks.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { EPOLLIN } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { EventLoop, Watch } from "../loop/event-loop.ts";

const KEEP = 65_536;
// A pipe holds 64 KiB; more at the end means that somebody else still writes.
const LAST_READS = 8;

/** Reads a nonblocking descriptor, which it owns, until `close`. */
export class OutputCapture {
  readonly #kernel: Kernel;
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(kernel: Kernel, loop: EventLoop, fd: number) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#watch = loop.watch(fd, EPOLLIN, () => {
      if (this.#read() === "end") this.#watch.suspend();
    });
  }

  /** Takes what is there without waiting for the end (a hook may have left the pipe to somebody), closes, and returns the text. */
  close(): string {
    for (let i = 0; i < LAST_READS && this.#read() === "data"; i++);
    this.#watch.close();
    this.#kernel.fs.close(this.#fd);
    return this.#kernel.host.utf8Decode(concatBytes(this.#chunks));
  }

  #read(): "data" | "nothing" | "end" {
    let data: Uint8Array;
    try {
      data = this.#kernel.fs.read(this.#fd, 16_384);
    } catch {
      return "nothing"; // EAGAIN
    }
    if (data.length === 0) return "end";
    if (this.#length < KEEP) this.#chunks.push(data);
    this.#length += data.length;
    return "data";
  }
}
