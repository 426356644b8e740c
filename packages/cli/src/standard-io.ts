// This process's streams. Each is made when it is first needed: making one costs four milliseconds, and what most commands have to say
// is a line, which goes to the descriptor at once.

import { fstatSync, writeSync } from "node:fs";

import { errnoOf, fileError } from "@teu/files/addon";
import { exitNow } from "@teu/files/process";
import type { CommandIo, Output } from "./command.ts";

/** Exit code of a program that SIGPIPE ended: nobody reads any more (`teu ... | head`), which is no error worth a message. */
const BROKEN_PIPE = 141;
/** Major number of /dev/null and its like. */
const MEMORY_DEVICES = 1;
const STDERR = 2;

/** stdin, stdout and stderr. */
export class StandardIo implements CommandIo {
  readonly stdout: DescriptorOutput = new DescriptorOutput(1, () => process.stdout);
  readonly stderr: DescriptorOutput = new DescriptorOutput(STDERR, () => process.stderr);

  get stdin(): NodeJS.ReadStream {
    return process.stdin;
  }

  /** Calls `then` when everything is written. */
  flush(then: () => void): void {
    this.stdout.flush(() => this.stderr.flush(then));
  }
}

/** One descriptor; the stream's from the moment on at which there is one. */
class DescriptorOutput implements Output {
  readonly #fd: number;
  readonly #open: () => NodeJS.WriteStream;
  #stream: NodeJS.WriteStream | undefined;

  constructor(fd: number, open: () => NodeJS.WriteStream) {
    this.#fd = fd;
    this.#open = open;
  }

  get stream(): NodeJS.WriteStream {
    this.#stream ??= this.#open().on("error", (error: Error) => fail(this.#fd, error));
    return this.#stream;
  }

  get isTTY(): boolean {
    // Only Node can tell, and loads what sockets need for it; most often it is a file, a pipe or /dev/null.
    const stats = fstatSync(this.#fd);
    return stats.isCharacterDevice() && stats.rdev >> 8 !== MEMORY_DEVICES && this.stream.isTTY;
  }

  write(data: string | Uint8Array): void {
    this.#write(data);
  }

  async send(data: string | Uint8Array): Promise<void> {
    if (this.#write(data)) return;
    await new Promise<void>((resolve) => this.stream.once("drain", resolve));
  }

  flush(then: () => void): void {
    if (this.#stream === undefined) then();
    else this.#stream.write("", () => then());
  }

  /** False: the stream wants no more for now. */
  #write(data: string | Uint8Array): boolean {
    if (this.#stream !== undefined) return this.#stream.write(data);
    let left = typeof data === "string" ? Buffer.from(data) : data;
    while (left.length > 0) {
      try {
        left = left.subarray(writeSync(this.#fd, left));
      } catch (error) {
        // Somebody made it non-blocking: the stream can wait.
        if (errnoOf(error) === "EAGAIN") return this.stream.write(left);
        if (errnoOf(error) === "EINTR") continue;
        fail(this.#fd, error);
        return true;
      }
    }
    return true;
  }
}

/** @throws TeuError, unless nobody reads any more. That stderr fails cannot be told to anybody. */
function fail(fd: number, error: unknown): void {
  if (errnoOf(error) === "EPIPE") exitNow(BROKEN_PIPE);
  if (fd !== STDERR) throw fileError("write output", "stdout", error);
}
