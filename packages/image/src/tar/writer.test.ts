// What the writer chooses to write, and PAX records by themselves. That it reads back the same is tar.test.ts's business.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import { BLOCK } from "./entry.ts";
import { decodePax, decodePaxTime, encodePaxRecord, encodePaxTime } from "./pax.ts";
import { encodeTarHeader, tarEntry } from "./writer.ts";

test("encodeTarHeader: ustar alone where that suffices, the prefix field before PAX", () => {
  assert.equal(encodeTarHeader(tarEntry({ type: "file", name: "é", mtimeNs: 5_000_000_000n })).length, BLOCK);
  const split = encodeTarHeader(tarEntry({ type: "file", name: `${"p".repeat(150)}/${"n".repeat(100)}` }));
  assert.equal(split.length, BLOCK);
  assert.equal(
    encodeTarHeader(tarEntry({ type: "file", name: `${"p".repeat(156)}/${"n".repeat(100)}` })).length,
    3 * BLOCK,
  );
  assert.equal(encodeTarHeader(tarEntry({ type: "directory", name: "n".repeat(99) })).length, BLOCK);
  assert.equal(encodeTarHeader(tarEntry({ type: "directory", name: "n".repeat(100) })).length, 3 * BLOCK);
});

test("encodeTarHeader: invalid for entries that cannot be written", () => {
  for (const parts of [
    { name: "" },
    { name: "a\0" },
    { name: "a", size: -1 },
    { name: "a", uid: 1.5 },
    { name: "a", sparse: [] },
  ]) {
    assert.throws(
      () => encodeTarHeader(tarEntry({ type: "file", ...parts })),
      (error) => isTeuError(error, "invalid"),
      JSON.stringify(parts),
    );
  }
});

test("encodePaxRecord: the length counts itself, at every number of digits", () => {
  for (const length of [1, 2, 3, 4, 80, 90, 91, 92, 93, 94, 990, 991, 992, 993, 9_990, 99_990]) {
    const record = encodePaxRecord("path", "x".repeat(length));
    assert.equal(Number(Buffer.from(record).toString().split(" ")[0]), record.length);
    assert.equal(decodePax(Buffer.from(record)).path, "x".repeat(length));
  }
});

test("decodePaxTime, encodePaxTime: nanoseconds, both signs", () => {
  for (const [text, value] of [
    ["0", 0n],
    ["1.5", 1_500_000_000n],
    ["-0.000000001", -1n],
    ["-1", -1_000_000_000n],
    ["12.000000009", 12_000_000_009n],
  ] as const) {
    assert.equal(decodePaxTime(text), value);
    assert.equal(encodePaxTime(value), text);
  }
  assert.equal(decodePaxTime("1.1234567899"), 1_123_456_789n);
});
