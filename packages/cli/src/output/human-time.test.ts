import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, humanDuration, parseMoment, timestamp } from "./human-time.ts";

const CASES: readonly (readonly [seconds: number, want: string])[] = [
  [0, "Less than a second"],
  [1, "1 second"],
  [59, "59 seconds"],
  [60, "About a minute"],
  [119, "About a minute"],
  [120, "2 minutes"],
  [3599, "59 minutes"],
  [3600, "About an hour"],
  [7200, "2 hours"],
  [47 * 3600, "47 hours"],
  [48 * 3600, "2 days"],
  [13 * 86400, "13 days"],
  [14 * 86400, "2 weeks"],
  [59 * 86400, "8 weeks"],
  [60 * 86400, "2 months"],
  [729 * 86400, "24 months"],
  [730 * 86400, "2 years"],
];

for (const [seconds, want] of CASES)
  test(`humanDuration: ${seconds} s is ${want}`, () => assert.equal(humanDuration(seconds * 1000), want));

test("ago and timestamp", () => {
  assert.equal(ago(100_000, 95_000), "5 seconds ago");
  assert.equal(ago(100_000, 0), "N/A");
  assert.equal(timestamp(0), "1970-01-01 00:00:00 +0000 UTC");
});

const MOMENTS: readonly (readonly [string, number | null])[] = [
  ["10", 10_000],
  ["1795453377.221", 1795453377221],
  ["1h30m", 1e9 - 5_400_000],
  ["500ms", 1e9 - 500],
  ["1970-01-01T00:00:01Z", 1000],
  ["1970-01-02", 86_400_000],
  ["soon", null],
  ["", null],
  ["10x", null],
  ["-5", null],
];

for (const [text, want] of MOMENTS)
  test(`parseMoment: ${JSON.stringify(text)}`, () => assert.equal(parseMoment(text, 1e9), want));
