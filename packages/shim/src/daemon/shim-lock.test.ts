// takeShimLock on the fake kernel.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { takeShimLock } from "./shim-lock.ts";

test("takeShimLock: conflict, and no descriptor left, when somebody holds it", () => {
  const fake = createFakeKernel();
  fake.makeDirectory("/run/c");
  const first = takeShimLock(fake.kernel, "/run/c");
  assert.throws(
    () => takeShimLock(fake.kernel, "/run/c"),
    (error) => isTeuError(error, "conflict"),
  );
  fake.kernel.fs.close(first);
  fake.kernel.fs.close(takeShimLock(fake.kernel, "/run/c"));
  assert.deepEqual(fake.leaks().fds, []);
});
