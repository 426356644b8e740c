// Reads a command line as runc's parser does: one or two dashes for every flag, `--flag value`, `--flag=value`, flags before operands.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { verbatim } from "../failure.ts";

/** One flag. `aliases` without dashes. */
export interface Flag {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly kind: "boolean" | "string" | "number" | "list";
  readonly doc: string;
  /** Accepted, not shown. */
  readonly hidden?: boolean;
}

/** What was given. Reading an undeclared name is a mistake of the program and throws. */
export class FlagValues {
  readonly #flags: readonly Flag[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(flags: readonly Flag[], values: ReadonlyMap<string, readonly string[]>) {
    this.#flags = flags;
    this.#values = values;
  }

  boolean(name: string): boolean {
    return this.#last(name) === "true";
  }

  /** "" when not given. */
  string(name: string): string {
    return this.#last(name) ?? "";
  }

  /** 0 when not given. */
  number(name: string): number {
    return Number(this.#last(name) ?? 0);
  }

  list(name: string): readonly string[] {
    this.#check(name);
    return this.#values.get(name) ?? [];
  }

  given(name: string): boolean {
    this.#check(name);
    return this.#values.has(name);
  }

  #last(name: string): string | undefined {
    this.#check(name);
    return this.#values.get(name)?.at(-1);
  }

  #check(name: string): void {
    if (!this.#flags.some((flag) => flag.name === name)) {
      throw new TeuError({
        code: "internal",
        op: "read flag",
        subject: name,
        message: "the command does not declare it",
      });
    }
  }
}

/** Splits `argv` into flags and operands. Throws `invalid` with the texts of Go's flag package, which podman greps. */
export function parseFlags(
  flags: readonly Flag[],
  argv: readonly string[],
): { values: FlagValues; operands: readonly string[] } {
  const values = new Map<string, string[]>();
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") {
      at++;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    const { given, inline } = splitFlag(word);
    const flag = flags.find((one) => one.name === given || (one.aliases ?? []).includes(given));
    if (flag === undefined) throw verbatim("invalid", `flag provided but not defined: -${given}`);
    const value = inline ?? (flag.kind === "boolean" ? "true" : argv[++at]);
    if (value === undefined) throw verbatim("invalid", `flag needs an argument: -${given}`);
    values.set(flag.name, [...(values.get(flag.name) ?? []), checkValue(flag, given, value)]);
  }
  return { values: new FlagValues(flags, values), operands: argv.slice(at) };
}

/** "--name=value", "-name". */
function splitFlag(word: string): { given: string; inline: string | undefined } {
  const start = word.startsWith("--") ? 2 : 1;
  const equals = word.indexOf("=", start);
  const given = equals < 0 ? word.slice(start) : word.slice(start, equals);
  if (given === "" || given.startsWith("-")) throw verbatim("invalid", `bad flag syntax: ${word}`);
  return { given, inline: equals < 0 ? undefined : word.slice(equals + 1) };
}

function checkValue(flag: Flag, given: string, value: string): string {
  if (flag.kind === "number" && !/^-?\d+$/.test(value)) {
    throw verbatim("invalid", `invalid value ${JSON.stringify(value)} for flag -${given}: parse error`);
  }
  if (flag.kind !== "boolean") return value;
  const word = value.toLowerCase();
  if (["true", "t", "1"].includes(word)) return "true";
  if (["false", "f", "0"].includes(word)) return "false";
  throw verbatim("invalid", `invalid boolean value ${JSON.stringify(value)} for -${given}: parse error`);
}
