// Environment variables and docs/reference/environment.md say the same: each TEU_ name in the programs has a section there, and
// each section a name in the programs.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isTest, loadSources, packageOf, place, report, type Source } from "./check/sources.ts";

/** Problems, one line each. */
export function checkEnvironment(page: string, sources: readonly Source[]): string[] {
  const documented = new Set([...page.matchAll(/^## `([A-Z][A-Z0-9_]*)`/gm)].map(([, name = ""]) => name));
  const used = new Map<string, string>();
  for (const source of sources) {
    if (packageOf(source.path) === undefined || isTest(source.path)) continue;
    // Names in comments are documentation, not use.
    const code = source.comments.reduce(
      (text, { start, end }) => text.slice(0, start) + " ".repeat(end - start) + text.slice(end),
      source.text,
    );
    for (const match of code.matchAll(/["'`.](TEU_[A-Z0-9_]+)\b/g))
      used.set(match[1] ?? "", place(source, match.index));
  }
  const missing = [...used].filter(([name]) => !documented.has(name));
  const unused = [...documented].filter((name) => name.startsWith("TEU_") && !used.has(name));
  return [
    ...missing.map(([name, where]) => `${where}: ${name} has no section in docs/reference/environment.md`),
    ...unused.map((name) => `docs/reference/environment.md: nothing reads ${name}`),
  ];
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  report(
    "check-env",
    checkEnvironment(readFileSync(join(root, "docs/reference/environment.md"), "utf8"), loadSources(root)),
  );
}
