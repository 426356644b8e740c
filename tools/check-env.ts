// Environment variables and docs/reference/environment.md say the same, and the environment is read only where it is meant to be:
// one module per program, and the few places that are listed here with their reason.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isTest, loadSources, packageOf, place, report, type Source } from "./check/sources.ts";

const READERS: Readonly<Record<string, string>> = {
  "packages/cli/src/environment.ts": "the list and reader of `teu`",
  "packages/cli/src/start.ts": "hands process.env to that reader",
  "packages/cli/src/commands/build.ts": "`--build-arg NAME` takes the caller's value",
  "packages/cli/src/commands/exec.ts": "`--env NAME` takes the caller's value",
  "packages/cli/src/commands/run-container.ts": "`--env NAME` takes the caller's value",
  "packages/cli/src/signing/key-files.ts": "`--key env://NAME` takes the caller's value",
  "packages/cli/src/transports/open-place.ts": "credential files and proxies, as every registry client finds them",
  "packages/engine/src/images/registry-client.ts": "credential files and proxies, as every registry client finds them",
  "packages/engine/src/programs.ts": "PATH, to find a runtime",
  "packages/files/src/addon.ts": "TEU_FILES_ADDON: the addon must be found by tests and tools as well",
};

/** Problems, one line each. */
export function checkEnvironment(page: string, sources: readonly Source[]): string[] {
  const documented = new Set([...page.matchAll(/^### `([A-Z][A-Z0-9_]*)`/gm)].map(([, name = ""]) => name));
  const used = new Map<string, string>();
  const strayed: string[] = [];
  for (const source of sources) {
    if (packageOf(source.path) === undefined || isTest(source.path)) continue;
    const code = withoutComments(source);
    for (const match of code.matchAll(/["'`.](TEU_[A-Z0-9_]+)\b|(?:environmentValue|valueIn)\(\w+, "(\w+)"\)/g)) {
      used.set(match[1] ?? match[2] ?? "", place(source, match.index));
    }
    // In the runtime, `process` is also the name of config.json's member.
    const index = /^packages\/(runtime|shim|specs)\//.test(source.path) ? -1 : code.search(/\bprocess\.env\b/);
    if (index >= 0 && READERS[source.path] === undefined) strayed.push(place(source, index));
  }
  const missing = [...used].filter(([name]) => !documented.has(name));
  const unused = [...documented].filter((name) => name.startsWith("TEU_") && !used.has(name));
  return [
    ...strayed.map(
      (where) => `${where}: the environment is read in one module per program (tools/check-env.ts, READERS)`,
    ),
    ...missing.map(([name, where]) => `${where}: ${name} has no section in docs/reference/environment.md`),
    ...unused.map((name) => `docs/reference/environment.md: nothing reads ${name}`),
  ];
}

function withoutComments({ text, comments }: Source): string {
  return comments.reduce(
    (code, { start, end }) => code.slice(0, start) + " ".repeat(end - start) + code.slice(end),
    text,
  );
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const page = readFileSync(join(root, "docs/reference/environment.md"), "utf8");
  report("check-env", checkEnvironment(page, loadSources(root)));
}
