// This process's streams. Each is made when it is first used: making one costs milliseconds, and most commands need one.

import { exitNow } from "@teu/files/process";
import type { CommandIo } from "./command.ts";

/** stdin, stdout and stderr. */
export class StandardIo implements CommandIo {
  #stdout: NodeJS.WriteStream | undefined;
  #stderr: NodeJS.WriteStream | undefined;

  get stdin(): NodeJS.ReadStream {
    return process.stdin;
  }

  get stdout(): NodeJS.WriteStream {
    this.#stdout ??= endQuietlyOnBrokenPipe(process.stdout);
    return this.#stdout;
  }

  get stderr(): NodeJS.WriteStream {
    this.#stderr ??= endQuietlyOnBrokenPipe(process.stderr);
    return this.#stderr;
  }

  /** Calls `then` when everything is written. */
  flush(then: () => void): void {
    const used = [this.#stdout, this.#stderr].filter((stream) => stream !== undefined);
    const next = (): void => {
      const stream = used.shift();
      if (stream === undefined) then();
      else stream.write("", next);
    };
    next();
  }
}

/** `teu ... | head`: nobody reads any more, which is no error worth a message. */
function endQuietlyOnBrokenPipe(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") exitNow(141);
    throw error;
  });
  return stream;
}
