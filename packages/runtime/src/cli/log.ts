// Where messages go: --log, --log-format, --debug, as runc's callers expect them (containerd and podman read the JSON lines).
// portable: no host types here.

import { TeuError, errorText } from "@teu/base/errors";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_WRONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { rfc3339 } from "../linux/start.ts";

/** The program's log. */
export interface Log {
  debug(message: string): void;
  warn(message: string): void;
  /** Also on stderr, bare, when the log is a file: callers grep it there. */
  error(message: string): void;
}

/** What the global flags say. */
export interface LogOptions {
  /** "": stderr. */
  readonly file: string;
  readonly format: string;
  readonly debug: boolean;
}

/** Opens the log. Throws `invalid` for an unknown format. */
export function openLog(kernel: Kernel, options: LogOptions): Log {
  const { host } = kernel;
  if (options.format !== "" && options.format !== "text" && options.format !== "json") {
    throw new TeuError({ code: "invalid", op: "open log", subject: options.format, message: 'want "text" or "json"' });
  }
  const write = (level: string, message: string): void => {
    // Whole seconds: what Go's log formatter writes and every reader takes.
    const time = `${rfc3339(host.realtimeNs()).slice(0, 19)}Z`;
    const line =
      options.format === "json"
        ? JSON.stringify({ level, msg: message, time })
        : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
    if (options.file === "") host.printError(line);
    else tryAppend(kernel, options.file, `${line}\n`);
  };
  return {
    debug: (message) => {
      if (options.debug) write("debug", message);
    },
    warn: (message) => write("warning", message),
    error: (message) => {
      if (options.file !== "") host.printError(message);
      write("error", message);
    },
  };
}

/** A log that cannot be written must not hide what it was to tell. */
function tryAppend(kernel: Kernel, file: string, line: string): void {
  try {
    append(kernel, file, line);
  } catch (error) {
    kernel.host.printError(`cannot write the log ${JSON.stringify(file)}: ${errorText(error)}`);
  }
}

/**
 * Opened for each line: nothing is open while the container is made, and there is at most one line as a rule. Not blocking: a FIFO
 * that nobody reads is an error.
 */
function append(kernel: Kernel, file: string, line: string): void {
  const { fs } = kernel;
  const fd = fs.openat(AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0o644);
  try {
    fs.write(fd, line);
  } finally {
    fs.close(fd);
  }
}
