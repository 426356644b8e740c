// The container's log: Docker's json-file lines, rotated. A disk that is full or gone costs lines, never the container:
// what cannot be written is dropped, counted, and said in shim.log.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { TeuError, errorText, isTeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_WRONLY,
  S_IFMT,
  S_IFREG,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { timestamp } from "../process/timestamp.ts";
import type { OutputName } from "../stdio/process-io.ts";
import { cutLines } from "./line-cuts.ts";
import { rotationPlan } from "./rotation-plan.ts";

/** Where and how much; see `ShimConfig.log`. */
export interface ContainerLogOptions {
  readonly path: string;
  readonly maxSize: number;
  readonly maxFiles: number;
}

const EMPTY = new Uint8Array(0);
const NEWLINE = 10;
const FLAGS = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

/** An open log. */
export class ContainerLog {
  readonly #kernel: Kernel;
  readonly #options: ContainerLogOptions;
  readonly #warn: (message: string) => void;
  #fd: number;
  #size: number;
  #partial: Record<OutputName, Uint8Array> = { stdout: EMPTY, stderr: EMPTY };
  #lost = 0;

  /** Opens or makes the file and goes on at its end. Throws what the kernel says: a log that cannot begin fails the start. */
  constructor(kernel: Kernel, options: ContainerLogOptions, warn: (message: string) => void) {
    this.#kernel = kernel;
    this.#options = options;
    this.#warn = warn;
    this.#fd = this.#open();
    this.#size = kernel.fs.fstat(this.#fd).size;
  }

  /** Bytes in the current file. */
  get size(): number {
    return this.#size;
  }

  /** Logs the whole lines in `data` and keeps the beginning of the next. All of them get the time of this call. */
  write(stream: OutputName, data: Uint8Array): void {
    const partial = this.#partial[stream];
    const all = partial.length === 0 ? data : concatBytes([partial, data]);
    const { ends, rest } = cutLines(all);
    this.#partial[stream] = all.slice(rest);
    this.#log(stream, all, ends);
  }

  /** A line that has not ended has ended now. */
  finish(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const partial = this.#partial[stream];
      this.#partial[stream] = EMPTY;
      this.#log(stream, partial, [partial.length]);
    }
    if (this.#lost > 0) this.#tellLost();
  }

  close(): void {
    if (this.#fd >= 0) this.#kernel.fs.close(this.#fd);
    this.#fd = -1;
  }

  #log(stream: OutputName, data: Uint8Array, ends: readonly number[]): void {
    const after = `","stream":"${stream}","time":"${timestamp(this.#kernel.host.realtimeNs())}"}\n`;
    let start = 0;
    for (const end of ends) {
      if (end > start)
        this.#append(this.#kernel.host.jsonLines(data.subarray(start, end), '{"log":"', after), end - start);
      start = end;
    }
  }

  // `lines` is what became of `bytes` bytes of output.
  #append(lines: Uint8Array, bytes: number): void {
    let left = lines;
    try {
      while (left.length > 0) {
        if (this.#fd < 0) this.#rotate();
        const end = this.#fitting(left);
        if (end === 0) {
          this.#rotate();
          continue;
        }
        this.#kernel.fs.write(this.#fd, left.subarray(0, end));
        this.#size += end;
        left = left.subarray(end);
      }
      if (this.#lost > 0) this.#tellLost();
    } catch (error) {
      if (!isSysError(error) && !isTeuError(error)) throw error;
      this.#lose(Math.ceil((bytes * left.length) / lines.length), error);
    }
  }

  // How much of whole lines goes into the current file: all, as many lines as it has room for, or, in an empty one, at least one.
  #fitting(lines: Uint8Array): number {
    const { maxSize } = this.#options;
    const room = maxSize - this.#size;
    if (maxSize === 0 || lines.length <= room) return lines.length;
    const end = room > 0 ? lines.lastIndexOf(NEWLINE, room - 1) + 1 : 0;
    return end > 0 || this.#size > 0 ? end : lines.indexOf(NEWLINE) + 1;
  }

  #lose(bytes: number, error: unknown): void {
    if (this.#lost === 0)
      this.#warn(`cannot write the container's log, output is lost from now on: ${errorText(error)}`);
    this.#lost += bytes;
    try {
      // A line that was written by half would make all after it unreadable.
      if (this.#fd >= 0) this.#kernel.fs.ftruncate(this.#fd, this.#size);
    } catch (again) {
      if (!isSysError(again)) throw again;
    }
  }

  #tellLost(): void {
    this.#warn(`${this.#lost} bytes of the container's output are not in its log`);
    this.#lost = 0;
  }

  #rotate(): void {
    const { fs } = this.#kernel;
    this.close();
    for (const step of rotationPlan(this.#options.path, this.#options.maxFiles)) {
      try {
        if (step.kind === "remove") fs.unlinkAt(AT_FDCWD, step.path, 0);
        else fs.renameAt(AT_FDCWD, step.from, AT_FDCWD, step.to, 0);
      } catch (error) {
        if (!isSysError(error, "ENOENT")) throw error;
      }
    }
    this.#fd = this.#open();
    this.#size = fs.fstat(this.#fd).size;
  }

  /** A regular file and nothing else: a link would choose where root writes, a FIFO make it wait. */
  #open(): number {
    const { fs } = this.#kernel;
    const { path } = this.#options;
    const fd = fs.openat(AT_FDCWD, path, FLAGS, 0o640);
    if ((fs.fstat(fd).mode & S_IFMT) === S_IFREG) return fd;
    fs.close(fd);
    throw new TeuError({
      code: "denied",
      op: "open the container's log",
      subject: path,
      message: "is not a regular file",
    });
  }
}
