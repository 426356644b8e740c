// Files and functions stay small: what is longer than the limits fails; with --report, medians and 90th percentiles per package.

import { join } from "node:path";
import { Visitor } from "oxc-parser";
import { isGenerated, isTest, loadSources, packageOf, place, report, type Source } from "./check/sources.ts";

// Lines.
const LIMITS = { file: 600, function: 80 };

interface Length {
  readonly at: string;
  readonly lines: number;
}

function fileLength(source: Source): number {
  return source.text.split("\n").length - (source.text.endsWith("\n") ? 1 : 0);
}

// A function's own lines: those of functions inside it count for them, too, so that nesting is no way out.
function functionLengths(source: Source): Length[] {
  const out: Length[] = [];
  const visit = (node: { readonly start: number; readonly end: number }): void => {
    out.push({ at: place(source, node.start), lines: source.text.slice(node.start, node.end).split("\n").length });
  };
  new Visitor({ FunctionDeclaration: visit, FunctionExpression: visit, ArrowFunctionExpression: visit }).visit(
    source.program,
  );
  return out;
}

/** Files and functions that are too long, one line each. Generated files are not judged, nor the callbacks of tests. */
export function checkSize(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => !isGenerated(source))
    .flatMap((source) => {
      const lines = fileLength(source);
      const file =
        lines > LIMITS.file ? [`${source.path}: ${lines} lines; ${LIMITS.file} are the limit: split it`] : [];
      if (isTest(source.path)) return file;
      const functions = functionLengths(source).filter((one) => one.lines > LIMITS.function);
      return [
        ...file,
        ...functions.map((one) => `${one.at}: a function of ${one.lines} lines; ${LIMITS.function} are the limit`),
      ];
    });
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** One line per package: how long its files and functions are. */
export function sizeReport(sources: readonly Source[]): string[] {
  const groups = Map.groupBy(
    sources.filter((one) => !isGenerated(one) && !isTest(one.path)),
    (one) => packageOf(one.path) ?? one.path.split("/")[0] ?? "",
  );
  return [...groups].map(([name, members]) => {
    const files = members.map(fileLength);
    const functions = members.flatMap((one) => functionLengths(one).map((length) => length.lines));
    const text = (values: readonly number[]): string =>
      `median ${quantile(values, 0.5)}, p90 ${quantile(values, 0.9)}, max ${Math.max(0, ...values)}`;
    return `${name.padEnd(13)} ${String(files.length).padStart(4)} files: ${text(files).padEnd(34)} functions: ${text(functions)}`;
  });
}

if (import.meta.main) {
  const sources = loadSources(join(import.meta.dirname, ".."));
  if (process.argv.includes("--report")) console.log(sizeReport(sources).join("\n"));
  report("check-size", checkSize(sources));
}
