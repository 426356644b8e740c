// Patterns of `${x#pattern}` and `${x/pattern/text}`: `*`, `?` and `\` only, no brackets.

/** Whether the pattern matches the whole text. */
export function patternMatches(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${toRegExp(pattern)})$`, "s").test(text);
}

/** `text` with the first or every longest match of `pattern` replaced; an empty pattern matches nothing. */
export function replacePattern(text: string, pattern: string, replacement: string, all: boolean): string {
  if (pattern === "") return text;
  return text.replace(new RegExp(toRegExp(pattern), all ? "gs" : "s"), () => replacement);
}

function toRegExp(pattern: string): string {
  let out = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    // Runs of "*" are one: several of them backtrack without end.
    if (char === "*") out += pattern[i - 1] === "*" && pattern[i - 2] !== "\\" ? "" : ".*";
    else if (char === "?") out += ".";
    else if (char === "\\" && i + 1 < pattern.length) out += quote(pattern[++i] ?? "");
    else out += quote(char);
  }
  return out;
}

function quote(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
