// Where messages go: --log, --log-format, --log-level, --debug, as runc's callers expect them (containerd and podman read the JSON
// lines). --log takes crun's forms too: "file:PATH", "journald:IDENTIFIER", "syslog:IDENTIFIER".
// portable: no host types here.

import { TeuError, errorText } from "@teu/base/errors";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_WRONLY } from "@teu/sys/constants/fs";
import { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import { rfc3339 } from "../linux/start.ts";

/** The program's log. */
export interface Log {
  debug(message: string): void;
  warn(message: string): void;
  /** Also on stderr, bare, when the log is elsewhere: callers grep it there. */
  error(message: string): void;
}

/** What the global flags say. */
export interface LogOptions {
  /** "": stderr. */
  readonly file: string;
  readonly format: string;
  /** "error", "warning" (also for "") or "debug". */
  readonly level: string;
}

/** Ranks, and syslog(3)'s priorities, of the levels. */
const LEVELS: Readonly<Record<string, { readonly rank: number; readonly priority: number }>> = {
  error: { rank: 0, priority: 3 },
  warning: { rank: 1, priority: 4 },
  debug: { rank: 2, priority: 7 },
};
const JOURNAL = "/run/systemd/journal/socket";
const SYSLOG = "/dev/log";
/** LOG_USER of syslog(3), shifted. */
const FACILITY = 1 << 3;

/** Opens the log. Throws `invalid` for an unknown format, level or kind of target. */
export function openLog(kernel: Kernel, options: LogOptions): Log {
  const { host } = kernel;
  if (options.format !== "" && options.format !== "text" && options.format !== "json")
    throw invalid(options.format, 'want "text" or "json"');
  const most = LEVELS[options.level === "" ? "warning" : options.level];
  if (most === undefined) throw invalid(options.level, 'want "error", "warning" or "debug"');
  const send = target(kernel, options);
  const write = (level: string, message: string): void => {
    if ((LEVELS[level]?.rank ?? 0) > most.rank) return;
    try {
      send(level, message);
    } catch (error) {
      // A log that cannot be written must not hide what it was to tell.
      host.printError(`cannot write the log ${JSON.stringify(options.file)}: ${errorText(error)}`);
    }
  };
  return {
    debug: (message) => write("debug", message),
    warn: (message) => write("warning", message),
    error: (message) => {
      if (options.file !== "") host.printError(message);
      write("error", message);
    },
  };
}

function invalid(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "open log", subject, message });
}

type Sender = (level: string, message: string) => void;

function target(kernel: Kernel, { file, format }: LogOptions): Sender {
  const [, kind = "file", rest = file] = /^(file|journald|syslog):([\s\S]*)$/.exec(file) ?? [];
  if (kind === "journald") return (level, message) => sendTo(kernel, JOURNAL, journalEntry(rest, level, message));
  if (kind === "syslog") {
    return (level, message) => sendTo(kernel, SYSLOG, `<${FACILITY | priority(level)}>${rest}: ${message}`);
  }
  return (level, message) => {
    const line = logLine(kernel, format, level, message);
    if (rest === "") kernel.host.printError(line);
    else append(kernel, rest, `${line}\n`);
  };
}

function logLine(kernel: Kernel, format: string, level: string, message: string): string {
  // Whole seconds: what Go's log formatter writes and every reader takes.
  const time = `${rfc3339(kernel.host.realtimeNs()).slice(0, 19)}Z`;
  return format === "json"
    ? JSON.stringify({ level, msg: message, time })
    : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
}

function priority(level: string): number {
  return LEVELS[level]?.priority ?? 3;
}

/** systemd's native protocol, "Native Journal Protocol": a value with a newline would need its length in front, so it has none here. */
function journalEntry(identifier: string, level: string, message: string): string {
  const flat = (text: string): string => text.replaceAll("\n", " ");
  return `MESSAGE=${flat(message)}\nPRIORITY=${priority(level)}\nSYSLOG_IDENTIFIER=${flat(identifier)}\n`;
}

function sendTo(kernel: Kernel, path: string, text: string): void {
  const { fs, host, socket } = kernel;
  const fd = socket.socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    socket.connectUnix(fd, path);
    socket.send(fd, host.utf8Encode(text), MSG_DONTWAIT);
  } finally {
    fs.close(fd);
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
