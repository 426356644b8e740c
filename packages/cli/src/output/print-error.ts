// Errors for people: one line, a hint, and the exit code. The one place that maps codes to exit codes.

import { errorText, isTeuError, type TeuError, type TeuErrorJson } from "@teu/base/errors";

/** Docker's codes: 125 the tool itself failed, 126 the command cannot be run, 127 it is not there. */
export const EXIT_USAGE = 125;

/**
 * What failed first, and what failed while that was undone: leaving an `await using` scope wraps the former in `SuppressedError`s.
 * The one place that takes them apart.
 */
export function failuresOf(error: unknown): { readonly first: unknown; readonly later: readonly unknown[] } {
  const later: unknown[] = [];
  let first = error;
  while (first instanceof SuppressedError) {
    later.unshift(first.error);
    first = first.suppressed;
  }
  return { first, later };
}

/** Exit code of a failure; `fallback` is the command's own. */
export function exitCodeOf(error: unknown, fallback: number): number {
  return codeOf(failuresOf(error).first, fallback);
}

function codeOf(error: unknown, fallback: number): number {
  if (!isTeuError(error)) return fallback;
  if (error.detail["usage"] === true) return EXIT_USAGE;
  const code = error.detail["exitCode"];
  if (fallback === EXIT_USAGE && (code === 126 || code === 127)) return code;
  return fallback;
}

/**
 * Prints "teu: cannot ...", the last output of a failed step, and the hint; with `debug` the chain of causes. With `json` each failure
 * is one line with an object instead, as docs/reference/errors.md says.
 */
export function printError(
  stream: { write(text: string): unknown },
  error: unknown,
  debug: boolean,
  json: boolean = false,
): void {
  const { first, later } = failuresOf(error);
  if (json) return [first, ...later].forEach((one) => stream.write(`${JSON.stringify(objectOf(one))}\n`));
  printOne(stream, first, debug);
  for (const one of later) {
    stream.write("teu: and while that was undone:\n");
    printOne(stream, one, debug);
  }
}

function objectOf(error: unknown): TeuErrorJson {
  if (isTeuError(error)) return error.toJSON();
  return { code: "internal", op: "run command", message: errorText(error) };
}

function printOne(stream: { write(text: string): unknown }, error: unknown, debug: boolean): void {
  if (!isTeuError(error)) {
    stream.write(
      `teu: internal error: ${debug && error instanceof Error ? (error.stack ?? error.message) : errorText(error)}\n`,
    );
    return;
  }
  stream.write(`teu: ${oneLine(error.detail["usage"] === true ? error.what : error.message)}\n`);
  const tail = error.detail["tail"];
  if (Array.isArray(tail) && tail.length > 0) stream.write(tail.map((line) => `  | ${String(line)}\n`).join(""));
  if (error.hint !== undefined) stream.write(`hint: ${error.hint}\n`);
  if (debug) stream.write(causes(error));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}

function causes(error: TeuError): string {
  const lines: string[] = [];
  for (let cause: unknown = error, depth = 0; cause !== undefined && depth < 10; depth++) {
    const head = isTeuError(cause)
      ? `${cause.code}: ${cause.op}${cause.subject === undefined ? "" : ` ${JSON.stringify(cause.subject)}`}: ${cause.what}`
      : String(cause);
    lines.push(`${depth === 0 ? "error" : "caused by"}: ${head}`);
    if (isTeuError(cause) && Object.keys(cause.detail).length > 0)
      lines.push(`  detail: ${JSON.stringify(cause.detail)}`);
    if (cause instanceof Error && cause.stack !== undefined)
      lines.push(
        ...cause.stack
          .split("\n")
          .filter((line) => /^\s+at /.test(line))
          .slice(0, 6),
      );
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return `${lines.join("\n")}\n`;
}
