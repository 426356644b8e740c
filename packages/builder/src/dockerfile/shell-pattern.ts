// Patterns of `${x#pattern}` and `${x/pattern/text}`: `*`, `?` and `\` only, no brackets.
// All ways through a pattern are followed at once: a regular expression would backtrack without end over what a stranger wrote.

type Token = { readonly kind: "run" } | { readonly kind: "any" } | { readonly kind: "char"; readonly char: string };

/** How many characters at the beginning (or the end) of `text` the pattern matches, as many or as few as can be; -1 for no match. */
export function matchAtEdge(pattern: string, text: string, edge: "start" | "end", longest: boolean): number {
  const tokens = tokensOf(pattern);
  const fromStart = edge === "start";
  return matchEnd(fromStart ? tokens : tokens.toReversed(), fromStart ? text : reversed(text), 0, longest);
}

/** `text` with the first or every longest match of `pattern` replaced; an empty pattern matches nothing. */
export function replacePattern(text: string, pattern: string, replacement: string, all: boolean): string {
  if (pattern === "") return text;
  const tokens = tokensOf(pattern);
  let out = "";
  let at = 0;
  do {
    const end = matchEnd(tokens, text, at, true);
    if (end < 0) {
      // A run at the beginning has tried every later place as well.
      if (tokens[0]?.kind === "run") break;
      out += text[at] ?? "";
      at++;
      continue;
    }
    out += replacement;
    at = end;
    if (!all) break;
  } while (at < text.length);
  return out + text.slice(at);
}

/** Where the longest or shortest match that begins at `start` ends; -1 for none. */
function matchEnd(tokens: readonly Token[], text: string, start: number, longest: boolean): number {
  let places = withSkipped(tokens, [0]);
  let end = places.has(tokens.length) ? start : -1;
  for (let at = start; at < text.length && places.size > 0; at++) {
    if (end >= 0 && !longest) break;
    const next: number[] = [];
    for (const place of places) {
      const token = tokens[place];
      if (token === undefined) continue;
      if (token.kind === "run") next.push(place);
      else if (token.kind === "any" || token.char === text[at]) next.push(place + 1);
    }
    places = withSkipped(tokens, next);
    if (places.has(tokens.length)) end = at + 1;
  }
  return end;
}

function reversed(text: string): string {
  let out = "";
  for (let i = text.length - 1; i >= 0; i--) out += text[i] ?? "";
  return out;
}

/** A run may also be nothing. */
function withSkipped(tokens: readonly Token[], places: readonly number[]): Set<number> {
  const all = new Set<number>();
  for (let place of places) {
    all.add(place);
    while (tokens[place]?.kind === "run") all.add(++place);
  }
  return all;
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    if (char === "*") {
      if (tokens.at(-1)?.kind !== "run") tokens.push({ kind: "run" });
    } else if (char === "?") tokens.push({ kind: "any" });
    else tokens.push({ kind: "char", char: char === "\\" && i + 1 < pattern.length ? (pattern[++i] ?? "") : char });
  }
  return tokens;
}
