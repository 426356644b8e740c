// Go's path/filepath.Match for one path segment or a whole path: `*`, `?`, `[class]` and `\`; "*" and "?" never match "/".

import { TeuError } from "@teu/base/errors";

/** Whether a path has characters that make it a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * A test for whole names.
 * @throws TeuError `invalid` for a malformed pattern: an unclosed or empty class, a trailing backslash.
 */
export function compilePattern(pattern: string): (name: string) => boolean {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    if (char === "*") source += pattern[i - 1] === "*" && source.endsWith("[^/]*") ? "" : "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const parsed = readClass(pattern, i + 1);
      source += parsed.source;
      i = parsed.end;
    } else if (char === "\\") {
      i++;
      if (i >= pattern.length) throw badPattern(pattern, 'a "\\" stands at its end');
      source += quote(pattern[i] ?? "");
    } else source += quote(char);
  }
  const expression = new RegExp(`^${source}$`, "su");
  return (name) => expression.test(name);
}

/** Reads a class from after its "[": ranges of possibly escaped characters, at least one. */
function readClass(pattern: string, start: number): { source: string; end: number } {
  const characters = [...pattern.slice(start)];
  let at = 0;
  let offset = start;
  const take = (): string => {
    let char = characters[at++];
    offset += char?.length ?? 0;
    if (char === "\\") {
      char = characters[at++];
      offset += char?.length ?? 0;
    } else if (char === "-" || char === "]") throw badPattern(pattern, "a character class is malformed");
    if (char === undefined) throw badPattern(pattern, '"]" is missing');
    return char;
  };
  const negated = characters[at] === "^";
  if (negated) {
    at++;
    offset++;
  }
  let ranges = "";
  while (characters[at] !== "]" || ranges === "") {
    const low = take();
    let high = low;
    if (characters[at] === "-") {
      at++;
      offset++;
      high = take();
    }
    // Go lets a reversed range match nothing.
    if (low <= high) ranges += `${quote(low)}-${quote(high)}`;
    else ranges += "\\u{10ffff}-\\u{10ffff}";
  }
  return { source: negated ? `[^${ranges}/]` : `(?!/)[${ranges}]`, end: offset };
}

function quote(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/g, (special) => (special === "-" ? "\\x2d" : `\\${special}`));
}

function badPattern(pattern: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read pattern", subject: pattern, message });
}
