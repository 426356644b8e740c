// Parser directives: `# key=value` at the very top of a Dockerfile (escape, syntax, check).

import { dockerfileError } from "./location.ts";

/** What the directives said. */
export interface Directives {
  /** The character that escapes and continues lines: "\\" or "`". */
  readonly escape: string;
  readonly syntax?: string;
  readonly check?: string;
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const KNOWN = ["syntax", "escape", "check"];

/**
 * Reads the directives of a file's physical lines; they end at the first line that is none.
 * @throws TeuError `invalid` for one given twice or an escape character other than the two.
 */
export function readDirectives(file: string, lines: readonly string[]): Directives {
  const found = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const match = DIRECTIVE.exec(line.trim());
    const key = match?.[1]?.toLowerCase();
    if (match === null || key === undefined || !KNOWN.includes(key)) break;
    const at = { file, line: index + 1, endLine: index + 1 };
    if (found.has(key)) throw dockerfileError(at, `directive ${key} is given twice`);
    const value = match[2] ?? "";
    if (key === "escape" && value !== "\\" && value !== "`") {
      throw dockerfileError(at, `escape character ${JSON.stringify(value)} is not possible`, { hint: "use \\ or `" });
    }
    found.set(key, value);
  }
  const syntax = found.get("syntax");
  const check = found.get("check");
  return {
    escape: found.get("escape") ?? "\\",
    ...(syntax === undefined ? {} : { syntax }),
    ...(check === undefined ? {} : { check }),
  };
}
