// exitRecord: how init ended, or what failed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TeuError } from "@teu/base/errors";
import { exitRecord } from "./container-end.ts";

test("exitRecord: code and signal of a killed init", () => {
  const record = exitRecord({ kind: "ended", ending: { code: 137, signal: 9, at: 0n } }, "s", true);
  assert.deepEqual(record, {
    code: 137,
    signal: 9,
    oomKilled: true,
    startedAt: "s",
    finishedAt: "1970-01-01T00:00:00.000000000Z",
    error: null,
  });
});

for (const [detail, code] of [
  [{ exitCode: 127 }, 127],
  [{}, 128],
] as const) {
  test(`exitRecord: ${code} for a failed start with detail ${JSON.stringify(detail)}`, () => {
    const error = new TeuError({ code: "internal", op: "start container", message: "no", detail });
    assert.equal(exitRecord({ kind: "failed", error, at: 0n }, null, false).code, code);
  });
}
