import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";

import { namePattern } from "./name-pattern.ts";

const HELLO = "docker.io/library/hello:latest";
const OTHER = "localhost:5000/team/hello:v1.0";

const CASES: readonly (readonly [pattern: string, hello: boolean, other: boolean])[] = [
  ["hello", true, false],
  ["hello:latest", true, false],
  ["hello:v1", false, false],
  ["hell", false, false],
  ["hello*", true, false],
  ["*", true, false],
  ["*:*", true, false],
  ["hello:*", true, false],
  ["hello:l*t", true, false],
  ["h?llo", true, false],
  ["h[a-e]llo", true, false],
  ["h[^a-e]llo", false, false],
  ["h\\ello", true, false],
  ["*/*/hello", true, true],
  ["*/hello", false, false],
  ["localhost:5000/team/*", false, true],
  ["localhost:5000/*/hello:v1.?", false, true],
  ["localhost:5000/team/hello:v1x0", false, false],
  ["docker.io/library/hello", true, false],
];

for (const [pattern, hello, other] of CASES) {
  test(`namePattern: ${pattern}`, () => {
    assert.deepEqual([HELLO, OTHER].map(namePattern(pattern)), [hello, other]);
  });
}

for (const pattern of ["a[", "a[]", "a[z-a]", "a\\"]) {
  test(`namePattern: ${pattern} is refused`, () => {
    assert.throws(
      () => namePattern(pattern),
      (error) => isTeuError(error, "invalid"),
    );
  });
}
