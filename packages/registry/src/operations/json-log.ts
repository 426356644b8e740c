// A log as lines of JSON: what a registry that is operated says, for programs to read. JSON escapes line ends and control
// characters, so nothing that a client sends can begin a line of its own.

import type { Log } from "@teu/base/scope";

/** Everything from this level on is written. */
export type LogLevel = "debug" | "info" | "warn";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn"];

/** Makes one. `write` gets whole lines. */
export function jsonLog(write: (line: string) => void, level: LogLevel = "info"): Log {
  const at =
    (own: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return;
      write(jsonLine({ time: new Date().toISOString(), level: own, message, ...fields }));
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn") };
}

/** One line. Characters that some readers take for a line's end are escaped beyond what JSON asks for. */
export function jsonLine(entry: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(entry).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped);
  return `${text}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
