// Arguments of one command, read with only that command's flags, in Docker's grammar: `--name value`, `--name=value`, `-n value`,
// `-nvalue`, `-n=value`, switches together (`-it`), `--switch=false`, `--` ends the flags. The help text is help-text.ts.

import type { Command, CommandInput, OptionSpec } from "../command.ts";
import { unsupportedFlag, usageError } from "./usage-error.ts";

const HELP: OptionSpec = { long: "help", help: "Show this text" };

/** @throws TeuError `invalid` (usage) or `unsupported`. */
export function readCommandInput(command: Command, name: string, argv: readonly string[]): CommandInput {
  const reader = new Reader(command, name);
  reader.read(argv);
  const { args, switches, values } = reader;
  if (switches.get("help") !== true) checkCount(command, name, args);
  const repeated = new Set(command.options.filter((spec) => spec.repeat === true).map((spec) => spec.long));
  const on = new Set(command.options.filter((spec) => spec.on === true).map((spec) => spec.long));
  return {
    args,
    flag: (flag) => switches.get(flag) ?? on.has(flag),
    text: (flag) => values.get(flag)?.at(-1),
    list: (flag) => (repeated.has(flag) ? (values.get(flag) ?? []) : []),
  };
}

/** Collects; of what is given several times the last one counts, unless it may be repeated. */
class Reader {
  readonly args: string[] = [];
  readonly switches: Map<string, boolean> = new Map();
  readonly values: Map<string, string[]> = new Map();
  readonly #command: Command;
  readonly #name: string;
  readonly #specs: readonly OptionSpec[];

  constructor(command: Command, name: string) {
    this.#command = command;
    this.#name = name;
    const isTaken = command.options.some(({ short }) => short === "h");
    this.#specs = [...command.options, isTaken ? HELP : { ...HELP, short: "h" }];
  }

  read(argv: readonly string[]): void {
    for (let at = 0; at < argv.length; at++) {
      const arg = argv[at] ?? "";
      if (arg === "--") return void this.args.push(...argv.slice(at + 1));
      const isFlag = arg.startsWith("-") && arg !== "-";
      if (!isFlag && this.#command.passThrough === true) return void this.args.push(...argv.slice(at));
      if (!isFlag) this.args.push(arg);
      else if (arg.startsWith("--") ? this.#long(arg, argv[at + 1]) : this.#short(arg, argv[at + 1])) at++;
    }
  }

  /** True when `next` was taken as the value; so for `#short`. */
  #long(arg: string, next: string | undefined): boolean {
    const equals = arg.indexOf("=");
    const long = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
    const spec = this.#specs.find((one) => one.long === long);
    if (spec === undefined) throw this.#unknown(long);
    if (spec.value === undefined) {
      this.switches.set(long, equals < 0 ? true : this.#switchValue(long, arg.slice(equals + 1)));
      return false;
    }
    return this.#take(spec, equals < 0 ? undefined : arg.slice(equals + 1), next);
  }

  #short(arg: string, next: string | undefined): boolean {
    for (let at = 1; at < arg.length; at++) {
      const short = arg[at] ?? "";
      const spec = this.#specs.find((one) => one.short === short);
      if (spec === undefined) throw this.#usage(`unknown flag -${short}`);
      const rest = arg.slice(at + 1);
      if (spec.value !== undefined) return this.#take(spec, rest === "" ? undefined : rest.replace(/^=/, ""), next);
      if (rest.startsWith("=")) {
        this.switches.set(spec.long, this.#switchValue(spec.long, rest.slice(1)));
        return false;
      }
      this.switches.set(spec.long, true);
    }
    return false;
  }

  #take(spec: OptionSpec, joined: string | undefined, next: string | undefined): boolean {
    const value = joined ?? next;
    if (value === undefined) throw this.#usage(`flag --${spec.long} needs a value`);
    this.values.set(spec.long, [...(this.values.get(spec.long) ?? []), value]);
    return joined === undefined;
  }

  #switchValue(flag: string, value: string): boolean {
    if (["true", "t", "1"].includes(value.toLowerCase())) return true;
    if (["false", "f", "0"].includes(value.toLowerCase())) return false;
    throw this.#usage(`flag --${flag} is true or false, not ${JSON.stringify(value)}`);
  }

  #unknown(long: string): Error {
    if (this.#command.unsupported?.includes(long) === true) return unsupportedFlag(long);
    const known = this.#specs.map((spec) => `--${spec.long}`);
    return usageError(`unknown flag --${long}`, { fallback: this.#see(), word: `--${long}`, known });
  }

  #usage(message: string): Error {
    return usageError(message, { fallback: this.#see() });
  }

  #see(): string {
    return `see teu ${this.#name} --help`;
  }
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
