// What a failed runtime meant: its JSON log (or what it printed) as a `TeuError`, with the exit code that Docker's users know.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { ErrorCode } from "@teu/base/errors";

/** How a runtime call ended. */
export interface RuntimeResult {
  /** Exit status, or 128 + signal. */
  readonly code: number;
  /** What it wrote to stdout and stderr, cut to a bound. */
  readonly output: string;
  /** Its JSON log. */
  readonly log: string;
}

/** The message of the last error in a log of JSON lines ({level, msg, time}); undefined when there is none. */
export function lastLogError(log: string): string | undefined {
  let found: string | undefined;
  for (const line of log.split("\n")) {
    if (line.trim() === "") continue;
    try {
      const entry = JSON.parse(line) as { level?: unknown; msg?: unknown } | null;
      const bad = entry?.level === "error" || entry?.level === "fatal";
      if (bad && typeof entry.msg === "string" && entry.msg !== "") found = entry.msg;
    } catch {
      // A runtime that logs text despite --log-format json: `output` says the same.
    }
  }
  return found;
}

/** Docker's exit code for a container whose program could not be run: 126, 127, or 128 for anything else. */
export function exitCodeOf(message: string): number {
  const text = message.toLowerCase();
  if (text.includes("permission denied") || text.includes("is a directory")) return 126;
  const missing = ["not a directory", "executable file not found", "no such file or directory"];
  return missing.some((part) => text.includes(part)) ? 127 : 128;
}

// runc's, and so ours, in front of what went wrong: the operation is named already.
const PREFIX = /^(?:runc (?:create|run)|exec) failed: unable to start container process: /;

/**
 * The error of a failed call. `invalid` with `detail.exitCode` 126 or 127 when it is the container's program that cannot be run;
 * `not-found` when the container or its process is gone; `conflict` when it is in another state; else `internal`. The runtime's words are the message, without runc's prefix.
 */
export function runtimeError(verb: string, id: string, result: RuntimeResult): TeuError {
  const lines = result.output.split("\n").filter((line) => line.trim() !== "");
  const message = (
    lastLogError(result.log) ??
    lines.at(-1) ??
    `the runtime ended with status ${result.code} and said nothing`
  )
    .replace(PREFIX, "")
    .slice(0, 4096);
  const exitCode = exitCodeOf(message);
  return new TeuError({
    code: codeOf(verb, `${message}\n${result.output}`.toLowerCase(), exitCode),
    op: `${verb} container`,
    subject: id.slice(0, 12),
    message,
    detail: { exitCode, status: result.code },
  });
}

function codeOf(verb: string, text: string, exitCode: number): ErrorCode {
  const gone = [
    "process already finished",
    "container not running",
    "no such process",
    "does not exist",
    "not found in the process table",
  ];
  if (verb !== "create" && verb !== "exec" && gone.some((part) => text.includes(part))) return "not-found";
  if (verb === "exec" && (text.includes("stopped container") || text.includes("container not running")))
    return "conflict";
  // Killed while frozen, it may be gone before it is thawed: runc's words, ours and crun's.
  if (verb === "resume" && text.includes("not paused")) return "conflict";
  return exitCode === 128 ? "internal" : "invalid";
}
