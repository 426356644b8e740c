// Plants variables that are not documented, sections that nothing reads, and a reader in the wrong place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkEnvironment } from "./check-env.ts";
import { parseSource } from "./check/sources.ts";

const source = parseSource(
  "packages/cli/src/environment.ts",
  '// TEU_COMMENT\nconst a = process.env["TEU_A"] ?? process.env.TEU_B;\n',
);
const runtime = parseSource("packages/runtime/src/x.ts", 'const a = environmentValue(kernel, "XDG_X");\n');

test("checkEnvironment: both ways, comments do not count", () => {
  assert.deepEqual(checkEnvironment("### `TEU_A`\n### `TEU_B`\n### `HOME`\n", [source]), []);
  assert.match(checkEnvironment("### `TEU_A`\n", [source])[0] ?? "", /environment.ts:2: TEU_B has no section/);
  assert.match(
    checkEnvironment("### `TEU_A`\n### `TEU_B`\n### `TEU_COMMENT`\n", [source])[0] ?? "",
    /nothing reads TEU_COMMENT/,
  );
  assert.match(checkEnvironment("", [runtime])[0] ?? "", /x.ts:1: XDG_X has no section/);
});

test("checkEnvironment: reading the environment elsewhere is seen", () => {
  const stray = parseSource("packages/image/src/x.ts", "const a = process.env.HOME;\n");
  assert.match(checkEnvironment("", [stray])[0] ?? "", /x.ts:1: the environment is read in one module/);
});
