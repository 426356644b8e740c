// Plants a file that is not there, a title that is not in it, and a page without any.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCitations } from "./check-citations.ts";

const read = (path: string): string | null =>
  path === "a/b.test.ts" ? 'test("one thing", ...); test("another")' : null;

test("checkCitations: files and titles must be there", () => {
  const check = (text: string): string[] => checkCitations("page.md", text, read);
  assert.deepEqual(check('x `a/b.test.ts` "one thing", "another"; more'), []);
  assert.deepEqual(check('`a/b.test.ts` "one thing", "a third"'), ['page.md: a/b.test.ts holds no "a third"']);
  assert.deepEqual(check('`a/c.test.ts` "one thing"'), ["page.md: there is no a/c.test.ts"]);
  assert.deepEqual(check("nothing"), ["page.md: names no test"]);
});
