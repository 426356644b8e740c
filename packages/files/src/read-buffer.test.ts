// Memory for reading begins at a page, whatever else was taken before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { filesAddon } from "./addon.ts";
import { readBuffer } from "./read-buffer.ts";

test("readBuffer: as long as it was asked for, at the beginning of a page where it is large", () => {
  const held: Buffer[] = [];
  for (const length of [0, 1, 65_535, 65_536, 100_001, 131_072, 1 << 20, (1 << 20) + 17, 4 << 20]) {
    for (let count = 0; count < 5; count++) {
      const buffer = readBuffer(length);
      assert.equal(buffer.length, length);
      if (length >= 65_536) assert.equal(filesAddon().pageOffset(buffer), 0, `${length}`);
      // Of another length, so that the next one lies elsewhere.
      held.push(buffer, Buffer.allocUnsafeSlow(length + 1_000 * count));
    }
  }
  for (const [number, buffer] of held.entries()) buffer.fill(number);
  for (const [number, buffer] of held.entries()) assert.ok(buffer.every((byte) => byte === (number & 0xff)));
  assert.equal(filesAddon().pageOffset((held.at(-2) as Buffer).subarray(48)), 48);
});
