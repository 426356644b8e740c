// Reporter and toTeuError on the fake kernel: one report, never into somebody else's descriptor; errno to code.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TeuError } from "@teu/base/errors";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import { sysError } from "@teu/sys/sys-error";
import { Reporter, toTeuError } from "./report.ts";

test("Reporter: nothing is thrown when nobody listens", () => {
  const fake = createFakeKernel();
  new Reporter(fake.kernel).send({ ok: true, shimPid: 1, pid: 2 });
  assert.deepEqual(fake.leaks().fds, []);
});

for (const [errno, code] of [
  ["ENOENT", "not-found"],
  ["EACCES", "denied"],
  ["ENOSPC", "exhausted"],
  ["EIO", "internal"],
] as const) {
  test(`toTeuError: ${code} for ${errno}`, () => {
    const error = toTeuError(sysError(errno, "open", "/x"), "open log");
    assert.equal(error.code, code);
    assert.match(error.message, /^cannot open log: open "\/x": E/);
  });
}

test("toTeuError: a TeuError stays what it is, anything else is internal", () => {
  const error = new TeuError({ code: "conflict", op: "x", message: "y" });
  assert.equal(toTeuError(error, "z"), error);
  assert.equal(toTeuError("odd", "z").code, "internal");
});
