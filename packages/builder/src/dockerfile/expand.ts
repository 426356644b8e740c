// Word expansion: quotes, escapes and ${variables} of one word as BuildKit's shell lexer does it; pure.
// No word splitting and no globbing: the callers of a word decide on those.

import { TeuError } from "@teu/base/errors";
import { matchAtEdge, replacePattern } from "./shell-pattern.ts";

/** The value of a variable; undefined when unset. */
export type Variables = (name: string) => string | undefined;

/** How a word is read. */
export interface ExpandOptions {
  /** "\\" (default) or "`". */
  readonly escape?: string;
  /** Leave quotes and escapes in place (here-document bodies). */
  readonly rawQuotes?: boolean;
}

/**
 * Expands one word.
 * @throws TeuError `invalid` for unmatched quotes, a bad substitution, or `${x:?message}` of an unset variable.
 */
export function expandWord(word: string, variables: Variables, options: ExpandOptions = {}): string {
  // Most words have nothing to expand.
  if (!/['"$\\`]/.test(word)) return word;
  return new Expander(word, variables, options.escape ?? "\\", options.rawQuotes ?? false).run();
}

/** Of substitutions in each other. */
const DEEPEST = 64;
const SPECIAL_PARAMETERS = "@*#?-$!0";

class Expander {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #escape: string;
  readonly #rawQuotes: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables, escape: string, rawQuotes: boolean) {
    this.#text = text;
    this.#variables = variables;
    this.#escape = escape;
    this.#rawQuotes = rawQuotes;
  }

  run(): string {
    return this.#until("", false);
  }

  /** Reads to `stop` (consumed) or to the end when `stop` is "". `rawEscapes`: escapes stay, for patterns. */
  #until(stop: string, rawEscapes: boolean): string {
    let out = "";
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        if (stop === "") return out;
        throw this.#bad(`"${stop}" is missing`);
      }
      this.#at++;
      if (char === stop) return out;
      if (char === "'" && !this.#rawQuotes) out += this.#singleQuoted();
      else if (char === '"' && !this.#rawQuotes) out += this.#doubleQuoted();
      else if (char === "$") out += this.#dollar();
      else if (char === this.#escape) out += this.#escaped(rawEscapes || this.#rawQuotes);
      else out += char;
    }
  }

  #escaped(raw: boolean): string {
    const next = this.#text[this.#at];
    // An escape at the end of a word means nothing.
    if (next === undefined) return raw ? this.#escape : "";
    this.#at++;
    // A raw escaped dollar still does not expand.
    return raw && next !== "$" ? this.#escape + next : next;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw this.#bad("closing ' is missing");
    const out = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return out;
  }

  #doubleQuoted(): string {
    let out = "";
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === undefined) throw this.#bad('closing " is missing');
      if (char === '"') return out;
      if (char === "$") out += this.#dollar();
      else if (char === this.#escape) {
        const next = this.#text[this.#at];
        if (next === '"' || next === "$" || next === this.#escape) {
          out += next;
          this.#at++;
        } else if (next !== undefined) out += char;
      } else out += char;
    }
  }

  #dollar(): string {
    if (this.#text[this.#at] !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#value(name) ?? "");
    }
    this.#at++;
    const name = this.#name();
    if (name === "") throw this.#bad("bad substitution");
    return this.#substitution(name);
  }

  #substitution(name: string): string {
    if (++this.#depth > DEEPEST) throw this.#bad(`substitutions are nested deeper than ${DEEPEST}`);
    const value = this.#operation(name);
    this.#depth--;
    return value;
  }

  #operation(name: string): string {
    let operator = this.#text[this.#at++];
    if (operator === "}") return this.#value(name) ?? "";
    const nullIsUnset = operator === ":";
    if (nullIsUnset) operator = this.#text[this.#at++];
    if (operator === undefined) throw this.#bad('"}" is missing');
    if ("+-?".includes(operator)) return this.#conditional(name, operator, nullIsUnset);
    if (nullIsUnset) throw this.#bad(`modifier ":${operator}" is not known`);
    if (operator === "#" || operator === "%") return this.#trimmed(name, operator);
    if (operator === "/") return this.#replaced(name);
    throw this.#bad(`modifier "${operator}" is not known`);
  }

  #conditional(name: string, operator: string, nullIsUnset: boolean): string {
    const word = this.#until("}", false);
    const value = this.#value(name);
    const isSet = value !== undefined && !(nullIsUnset && value === "");
    if (operator === "-") return isSet ? value : word;
    if (operator === "+") return isSet ? word : "";
    if (isSet) return value;
    throw this.#bad(`${name}: ${word === "" ? (nullIsUnset ? "is not set or empty" : "is not set") : word}`);
  }

  #trimmed(name: string, operator: string): string {
    let pattern = this.#until("}", true);
    const longest = pattern.startsWith(operator);
    if (longest) pattern = pattern.slice(1);
    const value = this.#value(name) ?? "";
    const length = matchAtEdge(pattern, value, operator === "#" ? "start" : "end", longest);
    if (length < 0) return value;
    return operator === "#" ? value.slice(length) : value.slice(0, value.length - length);
  }

  #replaced(name: string): string {
    const all = this.#text[this.#at] === "/";
    if (all) this.#at++;
    const pattern = this.#until("/", true);
    const replacement = this.#until("}", false);
    return replacePattern(this.#value(name) ?? "", pattern, replacement, all);
  }

  #name(): string {
    const first = this.#text[this.#at] ?? "";
    const match = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+)/.exec(this.#text.slice(this.#at));
    if (match !== null) {
      this.#at += match[0].length;
      return match[0];
    }
    if (first === "" || !SPECIAL_PARAMETERS.includes(first)) return "";
    this.#at++;
    return first;
  }

  #value(name: string): string | undefined {
    // Positional and special parameters exist in shells only: always empty here.
    return /^[A-Za-z_]/.test(name) ? this.#variables(name) : undefined;
  }

  #bad(message: string): TeuError {
    return new TeuError({ code: "invalid", op: "expand", subject: this.#text.slice(0, 200), message });
  }
}
