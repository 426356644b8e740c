// Tests of UTF-8 against the host's own coder.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

test("encodeUtf8, decodeUtf8: same as TextEncoder and TextDecoder when the text is well-formed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      assert.deepEqual(encodeUtf8(text), new TextEncoder().encode(text));
      assert.equal(decodeUtf8(encodeUtf8(text)), text.toWellFormed());
    }),
  );
});

test("decodeUtf8: same verdict as TextDecoder when given any bytes", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const byte = fc.constantFrom(
    0x41,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xed,
    0xef,
    0xf0,
    0xf1,
    0xf4,
    0xf5,
    0xff,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.array(byte, { maxLength: 5 }), (some, more) => {
      const bytes = Uint8Array.from([...some, ...more]);
      let want: string | undefined;
      try {
        want = strict.decode(bytes);
      } catch {
        assert.throws(() => decodeUtf8(bytes), { code: "invalid" });
        return;
      }
      assert.equal(decodeUtf8(bytes), want);
    }),
    { numRuns: 3000 },
  );
});

test("decodeUtf8: names the first bad byte", () => {
  assert.throws(() => decodeUtf8(Uint8Array.of(0x61, 0xed, 0xa0, 0x80), "read x"), {
    message: "cannot read x: not UTF-8 at byte 1",
  });
});

test("decodeUtf8: a byte order mark stays", () => {
  assert.equal(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
});

test("decodeUtf8: long texts in one piece", () => {
  const text = "aé€😀".repeat(20_000);
  assert.equal(decodeUtf8(encodeUtf8(text)), text);
});
