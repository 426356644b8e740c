// WWW-Authenticate (RFC 9110, section 11.6.1): read by the client, printed by the server.
// One header may hold several challenges; parameters are case-insensitive names with token or quoted values.

/** One challenge: `Bearer realm="...",service="..."`. */
export interface Challenge {
  /** Lower case: "bearer", "basic". */
  readonly scheme: string;
  /** By lower-case name; the first of a repeated parameter counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
/** More than any registry sends; what is longer is not read. */
const LONGEST = 8192;

/** The challenges of all WWW-Authenticate headers of an answer, in order; what is malformed ends the header it is in. */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap((header) => (header.length > LONGEST ? [] : parseHeader(header)));
}

/** Prints a challenge; values are quoted and escaped. */
export function formatChallenge(scheme: string, parameters: Readonly<Record<string, string>>): string {
  const list = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(value)}"`);
  return `${scheme} ${list.join(",")}`;
}

function parseHeader(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  while (at < text.length) {
    at = skip(text, at);
    const word = take(TOKEN, text, at);
    if (word === "") return challenges;
    at = skipSpace(text, at + word.length);
    const current = challenges.at(-1);
    if (text[at] === "=" && current !== undefined) {
      const value = takeValue(text, skipSpace(text, at + 1));
      if (value === null) return challenges;
      const name = word.toLowerCase();
      if (!current.parameters.has(name)) current.parameters.set(name, value.text);
      at = value.end;
    } else if (text[at] === "=") {
      return challenges;
    } else {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    }
  }
  return challenges;
}

function takeValue(text: string, at: number): { text: string; end: number } | null {
  if (text[at] !== '"') {
    const word = take(TOKEN, text, at);
    return word === "" ? null : { text: word, end: at + word.length };
  }
  let out = "";
  for (let i = at + 1; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '"') return { text: out, end: i + 1 };
    if (char === "\\") i++;
    out += text[i] ?? "";
  }
  return null;
}

function skip(text: string, from: number): number {
  let at = from;
  while (at < text.length && (text[at] === " " || text[at] === "\t" || text[at] === ",")) at++;
  return at;
}

function skipSpace(text: string, at: number): number {
  return at + take(SPACE, text, at).length;
}

function take(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

function quotable(value: string): string {
  return value.replace(/[\x00-\x1f\x7f]/g, "").replace(/["\\]/g, "\\$&");
}
