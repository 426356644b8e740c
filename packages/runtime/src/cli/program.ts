// teu-runtime's command line: global flags, choice of the command, exit codes. runc's spelling throughout.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { RUNTIME_SPEC_VERSION } from "@teu/specs/runtime";
import { verbatim } from "../failure.ts";
import type { CgroupManager, Command } from "./command.ts";
import { commandErrorText } from "./error-text.ts";
import { absolutePath, environmentValue } from "./environment.ts";
import { explain } from "./explain.ts";
import { inUserNamespace } from "../linux/cgroup/waive.ts";
import { type Flag, type FlagValues, parseFlags } from "./flags.ts";
import { commandHelp, programHelp, usageText } from "./help.ts";
import { openLog } from "./log.ts";

/** This program's version. */
export const VERSION = "0.1.0";

const HELP_FLAG: Flag = { name: "help", aliases: ["h", "?"], kind: "boolean", doc: "show help" };

/** Global flags. */
export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "debug", kind: "boolean", doc: "enable debug logging" },
  {
    name: "log",
    kind: "string",
    doc: "set the log file to write logs to (default: stderr); also file:PATH, journald:ID, syslog:ID",
  },
  { name: "log-format", kind: "string", doc: "set the log format ('text' (default), or 'json')" },
  { name: "log-level", kind: "string", doc: "set the log level ('error', 'warning' (default) or 'debug')" },
  {
    name: "root",
    kind: "string",
    doc: "root directory for storage of container state (this should be located in tmpfs)",
  },
  { name: "systemd-cgroup", kind: "boolean", doc: "enable systemd cgroup support" },
  {
    name: "cgroup-manager",
    kind: "string",
    doc: "set who makes cgroups ('cgroupfs' (default), 'systemd' or 'disabled')",
  },
  { name: "rootless", kind: "string", doc: "ignore cgroup permission errors ('true', 'false', or 'auto')" },
  { name: "explain", kind: "boolean", doc: "print the kernel steps of create, run or exec instead of taking them" },
  { name: "timings", kind: "boolean", doc: "with --explain: take the steps, and print on stderr what each took" },
  { name: "version", aliases: ["v", "V"], kind: "boolean", doc: "print the version" },
  { name: "usage", kind: "boolean", doc: "show the form of the command line" },
  HELP_FLAG,
];

const EXIT_FAILURE = 1;
/** runc's for whatever keeps an exec from running. */
const EXIT_EXEC_FAILURE = 255;

/**
 * Runs one command line (without the program's name); returns the exit code. Errors are on stderr and in the log.
 */
export function runProgram(kernel: Kernel, argv: readonly string[], commands: readonly Command[]): number {
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
  if (values.boolean("usage")) return say(kernel, usageText(GLOBAL_FLAGS));
  const command = values.boolean("help") ? undefined : commands.find((one) => one.name === name);
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
  let log = openLog(kernel, { file: "", format: "", level: "" });
  try {
    log = openLog(kernel, {
      file: global.string("log"),
      format: global.string("log-format"),
      level: global.boolean("debug") ? "debug" : global.string("log-level"),
    });
    if (global.boolean("explain")) explain(kernel);
    if (global.boolean("timings")) throw verbatim("invalid", "--timings goes with --explain");
    const { values, operands } = parseFlags([...command.flags, HELP_FLAG], argv);
    if (values.boolean("help")) return say(kernel, commandHelp(command));
    if (operands.length < command.minOperands || operands.length > command.maxOperands) {
      throw verbatim("invalid", `"${command.name}" ${operandsWanted(command)}, but has ${operands.length}`);
    }
    const rootless = rootlessMode(global.string("rootless"));
    const root = rootDirectory(kernel, global, command);
    log.debug(`${command.name} ${operands.join(" ")} with root ${root}`);
    const code = command.run({ kernel, root, log, cgroupManager: cgroupManager(global), rootless }, values, operands);
    log.debug(`${command.name}: exit status ${code}`);
    return code;
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
  if (command.name === "exec" && /^(exec|chdir|unable)[: ]/.test(text))
    return `exec failed: unable to start container process: ${text}`;
  return text;
}

function cgroupManager(global: FlagValues): CgroupManager {
  const name = global.string("cgroup-manager");
  if (name === "") return global.boolean("systemd-cgroup") ? "systemd" : "cgroupfs";
  if (name !== "cgroupfs" && name !== "systemd" && name !== "disabled")
    throw verbatim("invalid", `unknown cgroup manager ${JSON.stringify(name)}: want cgroupfs, systemd or disabled`);
  return name;
}

/** runc's reading: what Go takes for a truth value, or "auto". */
function rootlessMode(text: string): boolean | null {
  if (["", "auto"].includes(text)) return null;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw verbatim("invalid", `invalid --rootless ${JSON.stringify(text)}: want true, false or auto`);
}

function rootDirectory(kernel: Kernel, global: FlagValues, command: Command): string {
  const given = global.string("root");
  if (given !== "") {
    const root = absolutePath(kernel, given);
    if (root === "/") throw verbatim("invalid", '--root must not be "/"');
    return root;
  }
  const own = environmentValue(kernel, "XDG_RUNTIME_DIR");
  if (own === "" || !isUnprivileged(kernel)) return "/run/teu/runtime";
  const root = `${own}/teu/runtime`;
  if (command.name === "create" || command.name === "run") makeSticky(kernel, [own, "teu", "runtime"]);
  return root;
}

/** runc's rule: not root, or root of a user namespace, unless it is called root (then it has a /run of its own). */
function isUnprivileged(kernel: Kernel): boolean {
  if (kernel.process.geteuid() !== 0) return true;
  return environmentValue(kernel, "USER") !== "root" && inUserNamespace(kernel);
}

/** The sticky bit keeps cleaners away from what is old in XDG_RUNTIME_DIR (XDG Base Directory Specification). */
function makeSticky({ fs }: Kernel, [base = "", ...names]: readonly string[]): void {
  let path = base;
  for (const name of names) {
    path = `${path}/${name}`;
    try {
      fs.mkdirAt(AT_FDCWD, path, 0o700);
      fs.chmodAt(AT_FDCWD, path, 0o1700, 0);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
  }
}
