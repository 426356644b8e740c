// The error catalogue and the code say the same: every code of packages/base/src/errors.ts has a section in
// docs/reference/errors.md and the other way round; every code is used; nothing but TeuError is thrown on purpose.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Visitor } from "oxc-parser";
import { isGenerated, isTest, loadSources, packageOf, place, report, type Source } from "./check/sources.ts";
import { ERROR_CODES } from "@teu/base/errors";

/** Problems, one line each. */
export function checkErrors(catalogue: string, codes: readonly string[], sources: readonly Source[]): string[] {
  const documented = [...catalogue.matchAll(/^## `([a-z-]+)`$/gm)].map(([, code = ""]) => code);
  const problems = [
    ...codes
      .filter((code) => !documented.includes(code))
      .map((code) => `docs/reference/errors.md: no section "## \`${code}\`"`),
    ...documented
      .filter((code) => !codes.includes(code))
      .map((code) => `docs/reference/errors.md: there is no code ${code}`),
    ...documented
      .filter((code, index) => documented.indexOf(code) !== index)
      .map((code) => `docs/reference/errors.md: ${code} stands twice`),
  ];
  const shipped = sources.filter(
    (source) => packageOf(source.path) !== undefined && !isTest(source.path) && !isGenerated(source),
  );
  return [...problems, ...shipped.flatMap(throwProblems)];
}

// `throw new Error(...)` has no code: whoever catches it cannot decide, and a person is not told what was tried on what.
function throwProblems(source: Source): string[] {
  const problems: string[] = [];
  new Visitor({
    ThrowStatement: (node) => {
      const thrown = node.argument;
      if (thrown.type !== "NewExpression" || thrown.callee.type !== "Identifier") return;
      if (!/^(Error|TypeError|RangeError|SyntaxError|AggregateError)$/.test(thrown.callee.name)) return;
      problems.push(
        `${place(source, node.start)}: throw a TeuError: ${thrown.callee.name} has no code, operation and subject`,
      );
    },
  }).visit(source.program);
  return problems;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const catalogue = readFileSync(join(root, "docs/reference/errors.md"), "utf8");
  report("check-errors", checkErrors(catalogue, ERROR_CODES, loadSources(root)));
}
