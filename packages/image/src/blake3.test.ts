// The test vectors of the BLAKE3 reference (input: 0, 1, ... 250, 0, 1, ...), and that pieces give what the whole gives.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { Blake3 } from "./blake3.ts";

const input = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251);
const VECTORS: readonly (readonly [number, string])[] = [
  [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
  [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
  [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
  [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
  [2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"],
  [2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"],
  [3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"],
  [31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"],
  [102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"],
];

for (const [length, digest] of VECTORS)
  test(`Blake3: the reference's digest of ${length} bytes`, () =>
    assert.equal(new Blake3().take(input(length)).digest(), digest));

test("Blake3: pieces give what the whole gives", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 6 }), (lengths) => {
      const whole = input(lengths.reduce((sum, length) => sum + length, 0));
      const pieces = new Blake3();
      let at = 0;
      for (const length of lengths) pieces.take(whole.subarray(at, (at += length)));
      assert.equal(pieces.digest(), new Blake3().take(whole).digest());
    }),
    { numRuns: 30 },
  );
});
