// One instruction split into keyword, flags and the rest; and the ways of reading the rest that instructions share.

import { didYouMean } from "./did-you-mean.ts";
import type { Heredoc } from "./heredoc.ts";
import { dockerfileError, type Location } from "./location.ts";
import type { LogicalLine } from "./logical-lines.ts";

/** An instruction before its own parser has seen it. */
export interface InstructionLine {
  readonly at: Location;
  /** Upper case. */
  readonly keyword: string;
  /** As written: `--name` or `--name=value`, in order. */
  readonly flags: readonly string[];
  /** What follows keyword and flags, blanks around it removed. */
  readonly rest: string;
  /** The whole instruction as written, continuations joined. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  readonly escape: string;
}

/** What a flag takes: one value, an optional true/false, or a value each time it is given. */
export type FlagKind = "value" | "boolean" | "list";

/** Flags by name: values as given; "true"/"false" for booleans. */
export interface ParsedFlags {
  value(name: string): string | undefined;
  boolean(name: string): boolean;
  list(name: string): readonly string[];
}

/** A command in exec form (JSON array) or shell form. */
export type CommandForm =
  | { readonly kind: "exec"; readonly args: readonly string[] }
  | { readonly kind: "shell"; readonly text: string };

/** Splits a logical line. */
export function splitInstruction(line: LogicalLine, escape: string): InstructionLine {
  const match = /^(\S+)\s*([\s\S]*)$/.exec(line.text.trim());
  const { flags, rest } = splitFlags(match?.[2] ?? "", escape);
  return {
    at: line.at,
    keyword: (match?.[1] ?? "").toUpperCase(),
    flags,
    rest,
    text: line.text.trim(),
    heredocs: line.heredocs,
    escape,
  };
}

/**
 * Checks flags against what the instruction knows.
 * @throws TeuError `invalid` for an unknown flag (with a hint), one given twice, or a missing value.
 */
export function readFlags(line: InstructionLine, kinds: Readonly<Record<string, FlagKind>>): ParsedFlags {
  const found = new Map<string, string[]>();
  for (const flag of line.flags) {
    const equals = flag.indexOf("=");
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw dockerfileError(line.at, `${line.keyword} does not know the flag --${name}`, {
        hint: didYouMean(name, Object.keys(kinds), "--"),
      });
    }
    if (found.has(name) && kind !== "list") throw dockerfileError(line.at, `flag --${name} is given twice`);
    if (equals < 0 && kind !== "boolean")
      throw dockerfileError(line.at, `flag --${name} needs a value`, { hint: `write --${name}=VALUE` });
    const value = equals < 0 ? "true" : flag.slice(equals + 1);
    if (kind === "boolean" && value !== "true" && value !== "false") {
      throw dockerfileError(line.at, `flag --${name} is true or false, not ${JSON.stringify(value)}`);
    }
    found.set(name, [...(found.get(name) ?? []), value]);
  }
  return {
    value: (name) => found.get(name)?.[0],
    boolean: (name) => found.get(name)?.[0] === "true",
    list: (name) => found.get(name) ?? [],
  };
}

/** Refuses flags altogether. */
export function noFlags(line: InstructionLine): void {
  readFlags(line, {});
}

/**
 * Exec form when the text is a JSON array of strings, else shell form.
 * @throws TeuError `invalid` for an array with something else in it.
 */
export function readCommand(line: InstructionLine, text: string = line.rest): CommandForm {
  const array = readJsonArray(line, text);
  return array === null ? { kind: "shell", text } : { kind: "exec", args: array };
}

/** Words divided by blanks, or the strings of a JSON array. */
export function readList(line: InstructionLine, text: string = line.rest): readonly string[] {
  return readJsonArray(line, text) ?? text.split(/\s+/).filter((word) => word !== "");
}

/** The strings of a JSON array; null for text that is no JSON array. */
export function readJsonArray(line: InstructionLine, text: string): readonly string[] | null {
  if (!text.startsWith("[")) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON after all: `[ -f x ] && y` is a shell command.
    return null;
  }
  if (!Array.isArray(value)) return null;
  if (!value.every((entry) => typeof entry === "string")) {
    throw dockerfileError(line.at, `${line.keyword} takes a JSON array of strings only`);
  }
  return value;
}

/** The rest, which may not be empty. */
export function requireRest(line: InstructionLine, what: string): string {
  if (line.rest === "") throw dockerfileError(line.at, `${line.keyword} needs ${what}`);
  return line.rest;
}

/**
 * `name=value ...` pairs or, where allowed, the old `name value`; quotes and escapes stay in the values.
 * @throws TeuError `invalid`.
 */
export function readPairs(line: InstructionLine): readonly (readonly [string, string])[] {
  const words = quotedWords(requireRest(line, "at least one argument"), line.escape);
  if (!(words[0] ?? "").includes("=")) {
    const match = /^(\S+)\s+([\s\S]+)$/.exec(line.rest);
    if (match === null)
      throw dockerfileError(line.at, `${line.keyword} needs a value for ${words[0] ?? ""}`, {
        hint: `write ${words[0] ?? "name"}=value`,
      });
    return [[match[1] ?? "", match[2] ?? ""]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0)
      throw dockerfileError(line.at, `"=" is missing in ${JSON.stringify(word)}`, {
        hint: "write name=value; quote values with blanks",
      });
    if (equals === 0) throw dockerfileError(line.at, `the name is missing in ${JSON.stringify(word)}`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
}

/** Words divided at blanks outside quotes; quotes and escapes stay, both kinds of quotes take escapes. */
export function quotedWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let inWord = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (quote === "" && /\s/.test(char)) {
      if (inWord) words.push(word);
      word = "";
      inWord = false;
      continue;
    }
    inWord = true;
    word += char;
    if (char === escape && quote !== "'") word += text[++i] ?? "";
    else if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
  }
  if (inWord) words.push(word);
  return words;
}

/** Leading `--flag` words, with quotes and escapes of their values resolved; a bare `--` ends them. */
function splitFlags(text: string, escape: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (!text.startsWith("--", at)) return { flags, rest: text.slice(at).trim() };
    let word = "";
    let quote = "";
    while (at < text.length && (quote !== "" || !/\s/.test(text[at] ?? ""))) {
      const char = text[at++] ?? "";
      if (char === escape) word += text[at++] ?? "";
      else if (quote === "" && (char === "'" || char === '"')) quote = char;
      else if (char === quote) quote = "";
      else word += char;
    }
    if (word === "--") return { flags, rest: text.slice(at).trim() };
    flags.push(word);
  }
}
