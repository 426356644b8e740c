// The page of defences and its check, with planted differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDefences, pageOf } from "./gen-defences.ts";
import type { Defence } from "./mutation/defence.ts";

const ONE: Defence = {
  name: "one",
  against: "CVE-1",
  what: "checks a | b",
  file: "packages/runtime/src/x.ts",
  changes: [["if (bad) throw", "if (false) throw"]],
  kill: { case: "one: refused" },
};
const SOURCE = "if (bad) throw new Error();";

test("checkDefences: nothing when page and sources fit", () => {
  assert.deepEqual(
    checkDefences([ONE], pageOf([ONE]), () => SOURCE),
    [],
  );
});

test("checkDefences: a text that is gone, or there twice, a name given twice, an old page", () => {
  const check = (defences: readonly Defence[], source: string): string =>
    checkDefences(defences, pageOf([ONE]), () => source).join("\n");
  assert.match(check([ONE], ""), /one: .* has 0 places/);
  assert.match(check([ONE], SOURCE + SOURCE), /one: .* has 2 places/);
  assert.match(check([ONE, ONE], SOURCE), /one: stands twice/);
  assert.match(check([{ ...ONE, what: "other" }], SOURCE), /defences.md is not what/);
});

test("pageOf: a bar in a text does not end a column", () => {
  assert.match(pageOf([ONE]), /checks a \\\| b/);
});
