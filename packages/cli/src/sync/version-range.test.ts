import assert from "node:assert/strict";
import { test } from "node:test";

import { versionRange } from "./version-range.ts";

test("versionRange: tags that are versions in it", () => {
  const cases: readonly { range: string; yes: readonly string[]; no: readonly string[] }[] = [
    { range: ">= 3.12.0", yes: ["3.12", "3.12.0", "v3.13", "4"], no: ["3.11.9", "latest", "3.13.0-rc1", "3.x"] },
    { range: ">=1.2, <2.0", yes: ["1.2", "1.9.9"], no: ["2", "2.0.0", "1.1"] },
    { range: "~1.4 || ^3", yes: ["1.4.7", "3.9"], no: ["1.5", "2", "4.0.0"] },
    { range: ">= 1, != 1.5", yes: ["1.4", "1.6"], no: ["1.5", "1.5.0"] },
    { range: "!= 2.0.0", yes: ["1", "3"], no: ["2", "2.0"] },
    { range: "1.2.x", yes: ["1.2.0", "1.2.9"], no: ["1.3"] },
    { range: "1.2 - 1.4.5", yes: ["1.2.0", "1.4.5"], no: ["1.4.6"] },
    { range: "=> 2", yes: ["2", "3"], no: ["1"] },
    { range: ">= 1.0.0-0", yes: ["1.0.0-rc1", "1.0.0"], no: ["0.9.0"] },
  ];
  for (const { range, yes, no } of cases) {
    const test = versionRange(range);
    for (const tag of yes) assert.equal(test(tag), true, `${tag} in ${range}`);
    for (const tag of no) assert.equal(test(tag), false, `${tag} in ${range}`);
  }
});

test("versionRange: what is no range is refused", () => {
  for (const text of ["", "abc", ">= one", "!= x", "1.2 ||", ">>1"])
    assert.throws(() => versionRange(text), { code: "invalid" }, JSON.stringify(text));
});
