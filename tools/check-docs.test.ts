// Plants one violation of each rule of the documentation checker.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkLinks, checkReadme, checkSources } from "./check-docs.ts";
import { parseSource } from "./check/sources.ts";

// Spelled so that this file is not itself a violation.
const MARKER = ["TO", "DO"].join("");
const SILENCER = ["@ts", "ignore"].join("-");
const HEAD = "// What it does.\n\n";

const PLANTED: readonly { name: string; path?: string; text: string; want: RegExp | undefined }[] = [
  { name: "head and doc comments", text: `${HEAD}/** Doc. */\nexport const a = 1;\n`, want: undefined },
  { name: "no head comment", text: "const a = 1;\n", want: /no head comment/ },
  { name: "a head after code", text: "const a = 1;\n// Late.\n", want: /no head comment/ },
  {
    name: "no doc comment",
    text: `${HEAD}export function f(): void {}\n`,
    want: /x.ts:3: no doc comment: export function f/,
  },
  { name: "a line comment instead", text: `${HEAD}// Not a doc.\nexport const a = 1;\n`, want: /no doc comment/ },
  {
    name: "a doc comment of something else",
    text: `${HEAD}/** Doc. */\nconst b = 1;\nexport const a = b;\n`,
    want: /no doc comment: export const a/,
  },
  {
    name: "overloads",
    text: `${HEAD}/** Doc. */\nexport function f(a: string): void;\nexport function f(a: number): void;\nexport function f(a: unknown): void {}\n`,
    want: undefined,
  },
  {
    name: "constants that stand together",
    text: `${HEAD}/** Both. */\nexport const a = 1;\nexport const b = 2;\n`,
    want: undefined,
  },
  {
    name: "constants apart",
    text: `${HEAD}/** One. */\nexport const a = 1;\n\nexport const b = 2;\n`,
    want: /no doc comment: export const b/,
  },
  {
    name: "exports in a test",
    path: "packages/a/src/x.test.ts",
    text: `${HEAD}export const a = 1;\n`,
    want: undefined,
  },
  {
    name: "default export",
    text: `${HEAD}/** Doc. */\nexport default function f(): void {}\n`,
    want: /default exports/,
  },
  { name: "a marker", text: `${HEAD}// ${MARKER}: later\n`, want: /in a comment: do it/ },
  { name: "a silenced type error", text: `${HEAD}// ${SILENCER}\nconst a = 1;\n`, want: /fix the type/ },
  { name: "a drawer for everything", path: "packages/a/src/utils.ts", text: HEAD, want: /name it after/ },
  { name: "camel case", path: "packages/a/src/fooBar.ts", text: HEAD, want: /kebab-case/ },
];

for (const { name, path = "packages/a/src/x.ts", text, want } of PLANTED) {
  test(`checkSources: ${want === undefined ? "silent" : "a problem"} when given: ${name}`, () => {
    const found = checkSources([parseSource(path, text)]);
    if (want === undefined) assert.deepEqual(found, []);
    else assert.match(found.join("\n"), want);
  });
}

test("checkReadme: missing page, snippet and dependency lines are seen", () => {
  assert.match(checkReadme("a", undefined, {})[0] ?? "", /missing/);
  assert.match(checkReadme("a", "# a\n", {})[0] ?? "", /no snippet/);
  assert.match(checkReadme("a", "```ts\nlet = ;\n```", {})[0] ?? "", /snippet:/);
  assert.match(
    checkReadme("a", '```ts\nimport { x } from "@teu/base/nowhere";\n```', {})[0] ?? "",
    /there is no @teu\/base\/nowhere/,
  );
  assert.match(
    checkReadme("a", "```sh\n```", { dependencies: { yaml: "1", "@teu/base": "1" } })[0] ?? "",
    /why there is `yaml`/,
  );
  assert.deepEqual(
    checkReadme("a", '```ts\nimport { x } from "@teu/base/errors";\n```\n- `yaml`: reads YAML', {
      dependencies: { yaml: "1" },
    }),
    [],
  );
});

test("checkLinks: a link to a page that is not there is seen", () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-links-"));
  try {
    writeFileSync(
      join(directory, "A.md"),
      "[b](B.md) [gone](docs/C.md#part) [web](https://example.org/) [here](#part)",
    );
    writeFileSync(join(directory, "B.md"), "[a](A.md#x)");
    assert.deepEqual(checkLinks(directory), ["A.md: there is no docs/C.md"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
