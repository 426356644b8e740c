// Arguments of one command, read by commander with only that command's flags registered, and its help text.
// Docker's grammar beyond commander: `--switch=false`, and flags that are known but not supported.

import { Command as Parser, CommanderError, Option } from "commander";
import type { Command, CommandInput, OptionSpec } from "../command.ts";
import { columns } from "../output/table.ts";
import { unsupportedFlag, usageError } from "./usage-error.ts";

/** @throws TeuError `invalid` (usage) or `unsupported`. */
export function readCommandInput(command: Command, name: string, argv: readonly string[]): CommandInput {
  const { rest, switches } = takeSwitchValues(command, name, argv);
  const parser = new Parser(name);
  parser
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .allowExcessArguments(true)
    .argument("[args...]");
  if (command.passThrough === true) parser.passThroughOptions();
  for (const spec of [...command.options, HELP]) parser.addOption(optionOf(spec));
  try {
    parser.parse([...rest], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) throw translate(error, command, name);
    throw error;
  }
  const values = parser.opts<Record<string, unknown>>();
  if (values["help"] !== true) checkCount(command, name, parser.args);
  return {
    args: parser.args,
    flag: (flag) => switches.get(flag) ?? values[flag] === true,
    text: (flag) => lastText(values[flag]),
    list: (flag) => (Array.isArray(values[flag]) ? (values[flag] as string[]) : []),
  };
}

const HELP: OptionSpec = { long: "help", help: "Show this text" };

/** The help text of a command, as `teu run --help` prints it. */
export function commandHelp(command: Command, name: string): string {
  const verb = command.usage.split(" ")[0] ?? "";
  const lines = [`Usage:  teu ${name}${command.usage.slice(verb.length)}`, "", command.summary];
  if (command.description !== undefined) lines.push("", command.description);
  if (command.options.length > 0) {
    const rows = [...command.options]
      .sort((a, b) => (a.long < b.long ? -1 : 1))
      .map((spec) => [flagText(spec), spec.on === true ? `${spec.help} (default true)` : spec.help]);
    lines.push("", "Options:", ...columns(rows, 3).map((line) => `  ${line}`));
  }
  if (command.examples.length > 0) lines.push("", "Examples:", ...command.examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

function flagText({ long, short, value }: OptionSpec): string {
  return `${short === undefined ? "    " : `-${short}, `}--${long}${value === undefined ? "" : ` ${value}`}`;
}

function optionOf(spec: OptionSpec): Option {
  const flags = `${spec.short === undefined ? "" : `-${spec.short}, `}--${spec.long}${spec.value === undefined ? "" : " <value>"}`;
  const option = new Option(flags, spec.help);
  // Flags keep their own names: no camel case, no meaning in a leading "no-".
  option.attributeName = () => spec.long;
  option.negate = false;
  if (spec.on === true) option.default(true);
  if (spec.repeat === true)
    option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
  return option;
}

/** `--switch=true|false`, which commander does not know, taken out of the arguments; the last one counts. */
function takeSwitchValues(
  command: Command,
  name: string,
  argv: readonly string[],
): { rest: string[]; switches: Map<string, boolean> } {
  const rest: string[] = [];
  const switches = new Map<string, boolean>();
  const byLong = new Map(command.options.map((spec) => [spec.long, spec]));
  const byShort = new Map(
    command.options.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec] as const])),
  );
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at] ?? "";
    if (arg === "--" || (command.passThrough === true && !isFlag(arg)))
      return { rest: [...rest, ...argv.slice(at)], switches };
    const match = /^--([^=]+)=(.*)$/s.exec(arg);
    const spec = match === null ? undefined : byLong.get(match[1] ?? "");
    if (spec !== undefined && spec.value === undefined) {
      switches.set(spec.long, switchValue(name, spec.long, match?.[2] ?? ""));
      continue;
    }
    // A plain `--switch` behind `--switch=false` turns it on again.
    if (arg.startsWith("--") && byLong.get(arg.slice(2))?.value === undefined) switches.delete(arg.slice(2));
    rest.push(arg);
    if (takesNext(arg, byLong, byShort) && at + 1 < argv.length) rest.push(argv[++at] ?? "");
  }
  return { rest, switches };
}

function switchValue(command: string, flag: string, value: string): boolean {
  if (["true", "t", "1"].includes(value.toLowerCase())) return true;
  if (["false", "f", "0"].includes(value.toLowerCase())) return false;
  throw usageError(`flag --${flag} is true or false, not ${JSON.stringify(value)}`, {
    fallback: `see teu ${command} --help`,
  });
}

/** Whether a flag's value is the next argument: `--env X`, `-e X`, `-ite X`. */
function takesNext(
  arg: string,
  byLong: ReadonlyMap<string, OptionSpec>,
  byShort: ReadonlyMap<string, OptionSpec>,
): boolean {
  if (!isFlag(arg)) return false;
  if (arg.startsWith("--")) return byLong.get(arg.slice(2))?.value !== undefined;
  for (let i = 1; i < arg.length; i++) if (byShort.get(arg[i] ?? "")?.value !== undefined) return i === arg.length - 1;
  return false;
}

function isFlag(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}

function translate(error: CommanderError, command: Command, name: string): Error {
  const flag = /'(?:-\w, )?(-{1,2}[^\s'=<]+)/.exec(error.message)?.[1] ?? "";
  const see = `see teu ${name} --help`;
  if (error.code === "commander.unknownOption") {
    const long = flag.replace(/^-+/, "");
    if (flag.startsWith("--") && command.unsupported?.includes(long) === true) return unsupportedFlag(long);
    const known = command.options.map((spec) => `--${spec.long}`);
    return usageError(`unknown flag ${flag}`, {
      fallback: see,
      ...(flag.startsWith("--") ? { word: flag, known } : {}),
    });
  }
  if (error.code === "commander.optionMissingArgument")
    return usageError(`flag ${flag} needs a value`, { fallback: see });
  return usageError(error.message.replace(/^error: /, ""), { fallback: see });
}

function checkCount(command: Command, name: string, args: readonly string[]): void {
  const [least, most] = command.args;
  if (args.length >= least && args.length <= most) return;
  const want = least === most ? `exactly ${least}` : args.length < least ? `at least ${least}` : `at most ${most}`;
  const noun = (least === most || args.length < least ? least : most) === 1 ? "argument" : "arguments";
  throw usageError(most === 0 ? `teu ${name} takes no arguments` : `teu ${name} needs ${want} ${noun}`, {
    fallback: `see teu ${name} --help`,
  });
}

function lastText(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.at(-1) as string | undefined;
  return typeof value === "string" ? value : undefined;
}
