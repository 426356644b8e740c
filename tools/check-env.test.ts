// Plants variables that are not documented and sections that nothing reads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkEnvironment } from "./check-env.ts";
import { parseSource } from "./check/sources.ts";

const source = parseSource(
  "packages/a/src/x.ts",
  '// TEU_COMMENT\nconst a = process.env["TEU_A"] ?? process.env.TEU_B;\n',
);

test("checkEnvironment: both ways, comments do not count", () => {
  assert.deepEqual(checkEnvironment("## `TEU_A`\n## `TEU_B`\n## `HOME`\n", [source]), []);
  assert.match(checkEnvironment("## `TEU_A`\n", [source])[0] ?? "", /x.ts:2: TEU_B has no section/);
  assert.match(
    checkEnvironment("## `TEU_A`\n## `TEU_B`\n## `TEU_COMMENT`\n", [source])[0] ?? "",
    /nothing reads TEU_COMMENT/,
  );
});
