import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { compilePattern } from "./path-match.ts";

// From the rules of Go's filepath.Match.
const CASES: readonly (readonly [pattern: string, name: string, want: boolean])[] = [
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*", "abc", true],
  ["a*", "ab/c", false],
  ["a*/b", "abc/b", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*", "axbxcxdxe", true],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["a[^a][^a][^a]b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["a*b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "x", true],
  ["[x\\-]", "-", true],
  ["[\\-x]", "a", false],
  ["*x", "xxx", true],
  ["a.c", "abc", false],
  ["a+(b)", "a+(b)", true],
  ["[[]0", "[0", true],
  ["[z-a]", "m", false],
  ["**", "abc", true],
  ["", "", true],
  ["[^a]", "/", false],
];

for (const [pattern, name, want] of CASES) {
  test(`compilePattern: ${pattern} ${want ? "matches" : "does not match"} ${name}`, () =>
    assert.equal(compilePattern(pattern)(name), want));
}

for (const pattern of ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "a\\", "[a", "[a-"]) {
  test(`compilePattern: invalid for ${pattern}`, () =>
    assert.throws(
      () => compilePattern(pattern),
      (error) => isTeuError(error, "invalid"),
    ));
}

test("compilePattern: runs of stars do not backtrack without end", () => {
  const before = performance.now();
  assert.equal(compilePattern("*".repeat(200) + "b")("a".repeat(200)), false);
  assert.ok(performance.now() - before < 60_000);
});
