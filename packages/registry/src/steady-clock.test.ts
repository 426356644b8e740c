import assert from "node:assert/strict";
import { test } from "node:test";

import { steadyClock } from "./steady-clock.ts";

test("steadyClock: follows the clock, but not when it jumps forward", () => {
  const time = { wall: 1000, passed: 0 };
  const now = steadyClock(
    () => time.wall,
    () => time.passed,
  );
  const later = (wall: number, passed: number): number => {
    time.wall += wall;
    time.passed += passed;
    return now();
  };
  assert.equal(now(), 1000);
  assert.equal(later(10, 10), 1010);
  assert.equal(later(86_400_000, 5), 1015);
  assert.equal(later(5, 5), 1020);
  // Back to about where it was, then further back.
  assert.equal(later(-86_400_000, 0), 1015);
  assert.equal(later(-500, 0), 515);
  assert.equal(later(10, 10), 525);
});
