// teu-runtime's command line: global flags, choice of the command, exit codes. runc's spelling throughout.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { RUNTIME_SPEC_VERSION } from "@teu/specs/runtime";
import { verbatim } from "../failure.ts";
import type { Command } from "./command.ts";
import { commandErrorText } from "./error-text.ts";
import { absolutePath, environmentValue } from "./environment.ts";
import { explain } from "./explain.ts";
import { type Flag, type FlagValues, parseFlags } from "./flags.ts";
import { commandHelp, programHelp } from "./help.ts";
import { openLog } from "./log.ts";

/** This program's version. */
export const VERSION = "0.1.0";

const HELP_FLAG: Flag = { name: "help", aliases: ["h"], kind: "boolean", doc: "show help" };

/** Global flags. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "debug", kind: "boolean", doc: "enable debug logging" },
  { name: "log", kind: "string", doc: "set the log file to write logs to (default: stderr)" },
  { name: "log-format", kind: "string", doc: "set the log format ('text' (default), or 'json')" },
  {
    name: "root",
    kind: "string",
    doc: "root directory for storage of container state (this should be located in tmpfs)",
  },
  { name: "systemd-cgroup", kind: "boolean", doc: "enable systemd cgroup support" },
  { name: "rootless", kind: "string", doc: "ignore cgroup permission errors ('true', 'false', or 'auto')" },
  { name: "explain", kind: "boolean", doc: "print the kernel steps of create, run or exec instead of taking them" },
  { name: "version", aliases: ["v"], kind: "boolean", doc: "print the version" },
  HELP_FLAG,
];

const EXIT_FAILURE = 1;
/** runc's for whatever keeps an exec from running. */
const EXIT_EXEC_FAILURE = 255;

/**
 * Runs one command line (without the program's name) with the commands that are there; returns the exit code. Errors are on stderr
 * and in the log. `otherwise` is called, and its answer returned, when another command or the list of all is asked for.
 */
export function runProgram(
  kernel: Kernel,
  argv: readonly string[],
  commands: readonly Command[],
  otherwise?: (kernel: Kernel) => number,
): number {
  let values: FlagValues;
  let operands: readonly string[];
  try {
    ({ values, operands } = parseFlags(GLOBAL_FLAGS, argv));
  } catch (error) {
    kernel.host.printError(commandErrorText(error));
    return EXIT_FAILURE;
  }
  const [name, ...rest] = operands;
  if (values.boolean("version")) return say(kernel, versionText());
  const command = values.boolean("help") ? undefined : commands.find((one) => one.name === name);
  if (command === undefined && otherwise !== undefined) return otherwise(kernel);
  if (name === undefined || name === "help" || values.boolean("help"))
    return say(kernel, programHelp(commands, GLOBAL_FLAGS));
  if (command === undefined) {
    kernel.host.printError(`No help topic for '${name}'`);
    return 3;
  }
  return runCommand(kernel, values, command, rest);
}

/** runc's form: callers parse the first line as "runc version X", then "commit:" and "spec:". */
export function versionText(): string {
  return `runc version ${RUNTIME_SPEC_VERSION}-teu.${VERSION}\ncommit: teu-runtime ${VERSION}\nspec: ${RUNTIME_SPEC_VERSION}`;
}

function say(kernel: Kernel, text: string): number {
  kernel.host.print(text);
  return 0;
}

function runCommand(kernel: Kernel, global: FlagValues, command: Command, argv: readonly string[]): number {
  let log = openLog(kernel, { file: "", format: "", debug: false });
  try {
    log = openLog(kernel, {
      file: global.string("log"),
      format: global.string("log-format"),
      debug: global.boolean("debug"),
    });
    if (global.boolean("explain")) explain(kernel);
    const { values, operands } = parseFlags([...command.flags, HELP_FLAG], argv);
    if (values.boolean("help")) return say(kernel, commandHelp(command));
    if (operands.length < command.minOperands || operands.length > command.maxOperands) {
      throw verbatim("invalid", `"${command.name}" ${operandsWanted(command)}, but has ${operands.length}`);
    }
    if (global.boolean("systemd-cgroup")) {
      throw verbatim(
        "unsupported",
        "systemd cgroup flag passed, but systemd support for managing cgroups is not available",
      );
    }
    const context = {
      kernel,
      root: rootDirectory(kernel, global),
      log,
      debug: global.boolean("debug"),
      systemdCgroup: false,
    };
    return command.run(context, values, operands);
  } catch (error) {
    if (kernel.simulation?.isEnd(error) === true) throw error;
    log.error(prefixed(command, commandErrorText(error)));
    return command.name === "exec" ? EXIT_EXEC_FAILURE : EXIT_FAILURE;
  }
}

function operandsWanted({ minOperands, maxOperands }: Command): string {
  if (minOperands === maxOperands) return `requires exactly ${minOperands} argument(s)`;
  return maxOperands === Number.POSITIVE_INFINITY
    ? `requires a minimum of ${minOperands} argument(s)`
    : `requires ${minOperands} to ${maxOperands} argument(s)`;
}

/** Engines show this text as it is, and find their exit codes in it. */
function prefixed(command: Command, text: string): string {
  if (command.name === "create" || command.name === "run")
    return `runc ${command.name} failed: unable to start container process: ${text}`;
  if (command.name === "exec" && /^(exec|chdir)[: ]/.test(text))
    return `exec failed: unable to start container process: ${text}`;
  return text;
}

function rootDirectory(kernel: Kernel, global: FlagValues): string {
  const given = global.string("root");
  if (given === "") {
    const runtimeDirectory = environmentValue(kernel, "XDG_RUNTIME_DIR");
    return kernel.process.geteuid() !== 0 && runtimeDirectory !== ""
      ? `${runtimeDirectory}/teu/runtime`
      : "/run/teu/runtime";
  }
  if (given.replace(/\/+/g, "/") === "/") throw verbatim("invalid", '--root must not be "/"');
  return absolutePath(kernel, given);
}
