// Flags in front of the command: --root, --runroot, --debug, --version, --help.

import { usageError } from "./usage-error.ts";

/** What stood in front of the command, and the rest. */
export interface GlobalOptions {
  readonly root: string | undefined;
  readonly runroot: string | undefined;
  readonly debug: boolean;
  readonly version: boolean;
  readonly help: boolean;
  readonly rest: readonly string[];
}

const KNOWN = ["--root", "--runroot", "--debug", "--version", "--help"];

/** @throws TeuError `invalid` for an unknown flag or a missing value. */
export function readGlobalOptions(argv: readonly string[]): GlobalOptions {
  const values: { root?: string; runroot?: string } = {};
  const switches = { debug: false, version: false, help: false };
  let at = 0;
  for (; at < argv.length; at++) {
    const arg = argv[at] ?? "";
    if (!arg.startsWith("-") || arg === "-") break;
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    if (name === "--root" || name === "--runroot") {
      const value = equals < 0 ? argv[++at] : arg.slice(equals + 1);
      if (value === undefined || value === "")
        throw usageError(`flag ${name} needs a value`, { fallback: `write ${name} DIRECTORY` });
      values[name === "--root" ? "root" : "runroot"] = value;
    } else if (arg === "--debug" || arg === "-D") switches.debug = true;
    else if (arg === "--version" || arg === "-v") switches.version = true;
    else if (arg === "--help" || arg === "-h") switches.help = true;
    else
      throw usageError(`unknown flag ${name}`, {
        word: name,
        known: KNOWN,
        fallback: "flags of a command stand behind it; see teu --help",
      });
  }
  return { root: values.root, runroot: values.runroot, ...switches, rest: argv.slice(at) };
}
