import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import {
  formatChunkRange,
  formatContentRange,
  formatProgress,
  formatRange,
  parseChunkRange,
  parseContentRange,
  parseProgress,
  parseRange,
} from "./byte-range.ts";

test("parseRange: answers as RFC 9110 wants it", () => {
  const whole = { kind: "whole" };
  const none = { kind: "unsatisfiable" };
  const part = (start: number, end: number): unknown => ({ kind: "part", start, end });
  const cases: readonly [string | undefined, number, unknown][] = [
    [undefined, 10, whole],
    ["items=0-1", 10, whole],
    ["bytes=0-1,3-4", 10, whole],
    ["bytes=0-0", 10, part(0, 1)],
    ["bytes=5-", 10, part(5, 10)],
    ["bytes=-3", 10, part(7, 10)],
    ["bytes=-30", 10, part(0, 10)],
    ["bytes=2-100", 10, part(2, 10)],
    ["bytes=10-", 10, none],
    ["bytes=5-2", 10, none],
    ["bytes=-0", 10, none],
    ["bytes=-", 10, none],
    ["bytes=a-b", 10, none],
    ["bytes=0-", 0, none],
    ["bytes=99999999999999999999-", 10, none],
    ["bytes=0-99999999999999999999", 10, none],
  ];
  for (const [header, size, want] of cases) assert.deepEqual(parseRange(header, size), want, header);
});

test("parseRange: a part always lies inside the blob", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.nat(1000), (text, size) => {
      const range = parseRange(`bytes=${text}`, size);
      if (range.kind === "part") assert.ok(range.start >= 0 && range.start < range.end && range.end <= size);
    }),
  );
});

test("ranges: read back what they print", () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.integer({ min: 1, max: 1e9 }), (start, length) => {
      const end = start + length;
      assert.deepEqual(parseRange(formatRange({ start, end }), end), { kind: "part", start, end });
      assert.deepEqual(parseContentRange(formatContentRange({ start, end }, end)), { start, end, size: end });
      assert.deepEqual(parseChunkRange(formatChunkRange({ start, end })), { start, end });
      assert.equal(parseProgress(formatProgress(length)), length);
    }),
  );
});

test("parseChunkRange: refuses what is no range", () => {
  for (const text of ["", "-", "5-2", "1-", "-1", "0-1-2", "x0-1", "0x0-1", "1e3-2e3", "0-99999999999999999999"]) {
    assert.equal(parseChunkRange(text), null, text);
  }
  assert.deepEqual(parseChunkRange("bytes 0-9/10"), { start: 0, end: 10 });
});

test("parseContentRange: refuses sizes that contradict the range", () => {
  for (const text of ["bytes 0-9/5", "bytes 9-0/20", "bytes */20", "0-9", "bytes 0-9"])
    assert.equal(parseContentRange(text), null, text);
  assert.deepEqual(parseContentRange("bytes 0-9/*"), { start: 0, end: 10 });
});

test("parseProgress: none, one and malformed", () => {
  assert.equal(formatProgress(0), "0-0");
  assert.equal(parseProgress("0--1"), 0);
  assert.equal(parseProgress("0-0"), 1);
  for (const text of [undefined, "", "1-2", "abc", "0-"]) assert.equal(parseProgress(text), null);
});
