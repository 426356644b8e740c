// The lexical layer: physical lines to instructions in text form, with their here-documents.
// Continuations, comments between them, byte order mark and CRLF end here; what an instruction means is read elsewhere.

import { readDirectives, type Directives } from "./directives.ts";
import { type Heredoc, type HeredocHead, heredocHeads } from "./heredoc.ts";
import { dockerfileError, type Location } from "./location.ts";

/** One instruction as text. */
export interface LogicalLine {
  readonly at: Location;
  /** Joined text without the trailing newline, leading blanks removed. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** The line had an empty continuation line. */
  readonly emptyContinuation: boolean;
}

/** A file as logical lines. */
export interface LexedFile {
  readonly directives: Directives;
  readonly lines: readonly LogicalLine[];
}

/** Longest physical line in bytes; BuildKit's limit. */
export const MAX_LINE_BYTES: number = 64 * 1024;

const COMMENT = /^\s*#/;
const MAY_HAVE_HEREDOC = /^(?:onbuild\s+)?(?:add|copy|run)\s/i;

/**
 * Divides a Dockerfile into instructions.
 * @throws TeuError `invalid` for a line over 64 KiB, an unterminated here-document, or bad directives.
 */
export function lexDockerfile(file: string, source: string): LexedFile {
  const physical = (source.startsWith("\ufeff") ? source.slice(1) : source).split("\n");
  checkLengths(file, physical);
  const bare = physical.map((line) => line.replace(/\r+$/, ""));
  const directives = readDirectives(file, bare);
  const lines: LogicalLine[] = [];
  let index = 0;
  while (index < bare.length) {
    const start = index;
    const joined = joinContinuation(bare, start, directives.escape);
    index = joined.next;
    if (joined.text === "") continue;
    const heads = MAY_HAVE_HEREDOC.test(joined.text) ? heredocHeads(joined.text, directives.escape) : [];
    const at = { file, line: start + 1, endLine: index };
    const heredocs: Heredoc[] = [];
    for (const head of heads) {
      const body = readBody(physical, index, head, at);
      heredocs.push(body.heredoc);
      index = body.next;
    }
    lines.push({
      at: { ...at, endLine: index },
      text: joined.text,
      heredocs,
      emptyContinuation: joined.emptyContinuation,
    });
  }
  return { directives, lines };
}

function checkLengths(file: string, lines: readonly string[]): void {
  for (const [index, line] of lines.entries()) {
    // Cheap bound first: a UTF-16 unit is at most three bytes.
    if (line.length * 3 <= MAX_LINE_BYTES || Buffer.byteLength(line) <= MAX_LINE_BYTES) continue;
    throw dockerfileError({ file, line: index + 1, endLine: index + 1 }, `line is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

function joinContinuation(
  lines: readonly string[],
  start: number,
  escape: string,
): { text: string; next: number; emptyContinuation: boolean } {
  const first = lines[start] ?? "";
  let next = start + 1;
  if (COMMENT.test(first)) return { text: "", next, emptyContinuation: false };
  let { text, more } = cutContinuation(first.trimStart(), escape);
  let emptyContinuation = false;
  while (more && next < lines.length) {
    const line = lines[next++] ?? "";
    if (COMMENT.test(line)) continue;
    if (line.trim() === "") {
      // The empty piece after the file's last newline is no line.
      emptyContinuation ||= next < lines.length;
      continue;
    }
    const cut = cutContinuation(line, escape);
    text += cut.text;
    more = cut.more;
  }
  return { text: text.trimEnd() === "" ? "" : text, next, emptyContinuation };
}

/** An escape character that is itself escaped does not continue the line. */
function cutContinuation(line: string, escape: string): { text: string; more: boolean } {
  const trimmed = line.replace(/[ \t]+$/, "");
  const continues = trimmed.endsWith(escape) && trimmed.at(-2) !== escape;
  return continues ? { text: trimmed.slice(0, -1), more: true } : { text: line, more: false };
}

function readBody(
  lines: readonly string[],
  start: number,
  head: HeredocHead,
  at: Location,
): { heredoc: Heredoc; next: number } {
  let content = "";
  for (let index = start; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const shown = head.chomp ? line.replace(/^\t+/, "") : line;
    if (shown.replace(/\r+$/, "") === head.name) return { heredoc: { ...head, content }, next: index + 1 };
    content += `${shown}\n`;
  }
  throw dockerfileError(at, `here-document ${JSON.stringify(head.name)} has no end`, {
    hint: `add a line with only ${head.name} after its text`,
  });
}
