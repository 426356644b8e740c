// Tests of scopes: how they end, and what survives into a narrower one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanupScope, createScope, endedError, silentLog } from "./scope.ts";

test("check: silent while the scope lives, cancelled when its signal was aborted", () => {
  const controller = new AbortController();
  const scope = createScope({ signal: controller.signal });
  scope.check("pull image");
  controller.abort();
  assert.throws(
    () => {
      scope.check("pull image");
    },
    { code: "cancelled", message: "cannot pull image: cancelled" },
  );
});

test("withTimeout: timeout when the deadline passed, and the outer scope lives on", async () => {
  const outer = createScope();
  const inner = outer.withTimeout(5);
  await new Promise((resolve) => {
    inner.signal.addEventListener("abort", resolve, { once: true });
  });
  assert.throws(
    () => {
      inner.check("wait");
    },
    { code: "timeout" },
  );
  outer.check("wait");
});

test("withSignal: ends with either signal", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const scope = createScope({ signal: one.signal }).withSignal(two.signal);
  assert.equal(scope.signal.aborted, false);
  two.abort();
  assert.equal(scope.signal.aborted, true);
});

test("withLog, now: narrower scopes keep clock and signal", () => {
  const said: string[] = [];
  const scope = createScope({ now: () => 42 })
    .withLog({
      ...silentLog,
      warn: (text) => {
        said.push(text);
      },
    })
    .withTimeout(1000);
  scope.log.warn("careful");
  assert.deepEqual(said, ["careful"]);
  assert.equal(scope.now(), 42);
});

test("cleanupScope: alive when the scope it tidies up for has ended", () => {
  const controller = new AbortController();
  const scope = createScope({ signal: controller.signal, now: () => 7 });
  controller.abort();
  const cleanup = cleanupScope(scope, 1000);
  cleanup.check("remove");
  assert.equal(cleanup.now(), 7);
});

test("endedError: timeout only when a deadline did it", () => {
  assert.equal(endedError("x", new DOMException("t", "TimeoutError")).code, "timeout");
  assert.equal(endedError("x", undefined).code, "cancelled");
});
