import assert from "node:assert/strict";
import { test } from "node:test";

import { countCpus, hostFacts, parseLimits, since } from "./host-facts.ts";
import { FACTS } from "./testdata/facts.ts";

test("parseLimits: names with spaces, units, unlimited", () => {
  const text =
    "Limit                     Soft Limit           Hard Limit           Units     \n" +
    "Max open files            1024                 20000                files     \n" +
    "Max core file size        0                    unlimited            bytes     \n" +
    "Max something new         1                    1                    things    \n";
  assert.deepEqual(parseLimits(text), { RLIMIT_NOFILE: 20_000, RLIMIT_CORE: Infinity });
});

test("countCpus: lists and ranges", () => {
  for (const [list, want] of [
    ["0\n", 1],
    ["0-3", 4],
    ["0-1,4,6-7", 5],
  ] as const)
    assert.equal(countCpus(list), want, list);
});

test("since: major before minor", () => {
  for (const [major, minor, want] of [
    [4, 8, true],
    [6, 12, true],
    [6, 13, false],
    [7, 0, false],
  ] as const) {
    assert.equal(since(FACTS, major, minor), want, `${major}.${minor}`);
  }
});

test("hostFacts: this host has some", () => {
  const facts = hostFacts();
  assert.ok(facts.cpus >= 1 && facts.kernel[0] >= 4 && (facts.hardLimits["RLIMIT_NOFILE"] ?? 0) > 0);
});
