// shim.log: what the shim itself has to say. Made at the first message, so that a quiet life leaves no file.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "@teu/sys/constants/fs";
import { timestamp } from "../process/timestamp.ts";

// A disk that stays full must not make the log of it grow for ever.
const MESSAGE_LIMIT = 10_000;

/** Appends warnings to RUNDIR/shim.log. */
export class ShimLog {
  readonly #kernel: Kernel;
  readonly #path: string;
  #messages = 0;

  constructor(kernel: Kernel, path: string) {
    this.#kernel = kernel;
    this.#path = path;
  }

  /** One line with the time. A log that cannot be written has nobody left to tell: that alone is dropped. */
  warn(message: string): void {
    if (this.#messages++ >= MESSAGE_LIMIT) return;
    const { fs, host } = this.#kernel;
    try {
      const fd = fs.openat(AT_FDCWD, this.#path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600);
      try {
        fs.write(fd, `${timestamp(host.realtimeNs())} ${message.replaceAll("\n", "\\n")}\n`);
      } finally {
        fs.close(fd);
      }
    } catch {
      // see above
    }
  }
}
