import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNumberList } from "./number-list.ts";

for (const [text, want] of [
  ["", []],
  ["3", [3]],
  ["0-2,7", [0, 1, 2, 7]],
  ["7,0-1,1", [0, 1, 7]],
  [" 1 , 2 ", [1, 2]],
] as const)
  test(`parseNumberList: ${JSON.stringify(text)}`, () => assert.deepEqual(parseNumberList(text, "at"), want));

for (const text of ["a", "1-", "-1", "2-1", "1,,2", "65536", "99999999999", "0-3:2/4", "1 2"])
  test(`parseNumberList: invalid for ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseNumberList(text, "at"), { code: "invalid", subject: "at" }));
