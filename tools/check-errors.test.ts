// Plants differences between catalogue and code, and throws without a code.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkErrors } from "./check-errors.ts";
import { parseSource } from "./check/sources.ts";

test("checkErrors: both ways", () => {
  assert.deepEqual(checkErrors("## `a`\n\n## `b`\n", ["a", "b"], []), []);
  assert.match(checkErrors("## `a`\n", ["a", "b"], [])[0] ?? "", /no section "## `b`"/);
  assert.match(checkErrors("## `a`\n## `c`\n", ["a"], [])[0] ?? "", /there is no code c/);
  assert.match(checkErrors("## `a`\n## `a`\n", ["a"], [])[0] ?? "", /a stands twice/);
});

test("checkErrors: a thrown Error is seen in packages, not in tests and tools", () => {
  const text = 'function f() {\n  throw new Error("x");\n}\n';
  assert.match(checkErrors("", [], [parseSource("packages/a/src/x.ts", text)])[0] ?? "", /x.ts:2: throw a TeuError/);
  assert.deepEqual(
    checkErrors("", [], [parseSource("packages/a/src/x.test.ts", text), parseSource("tools/x.ts", text)]),
    [],
  );
  assert.deepEqual(
    checkErrors(
      "",
      [],
      [parseSource("packages/a/src/x.ts", "function f(e: Error) { throw e; throw new TeuError({}); }")],
    ),
    [],
  );
});
