// rotationPlan: names as Docker's, the oldest first out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { rotationPlan } from "./rotation-plan.ts";

test("rotationPlan: the file itself is removed when only one is kept", () => {
  assert.deepEqual(rotationPlan("/l", 1), [{ kind: "remove", path: "/l" }]);
});

test("rotationPlan: oldest removed, then renamed from the oldest on", () => {
  assert.deepEqual(rotationPlan("/l", 3), [
    { kind: "remove", path: "/l.2" },
    { kind: "rename", from: "/l.1", to: "/l.2" },
    { kind: "rename", from: "/l", to: "/l.1" },
  ]);
});
