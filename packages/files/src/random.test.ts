import assert from "node:assert/strict";
import { test } from "node:test";

import { randomBelow, randomHex } from "./random.ts";

test("randomHex: two digits per byte, never the same", () => {
  for (const bytes of [1, 6, 32, 300]) assert.match(randomHex(bytes), new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
  assert.equal(new Set(Array.from({ length: 100 }, () => randomHex(8))).size, 100);
});

test("randomBelow: every number below the limit, and no other", () => {
  const seen = new Set(Array.from({ length: 2000 }, () => randomBelow(5)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
});
