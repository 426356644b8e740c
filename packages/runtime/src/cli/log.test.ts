import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

test("log: the error is on stderr also when the log file cannot be opened, which is said", () => {
  const outcome = fakeHost().run(["--log", "/nowhere/log", "state", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /container does not exist/);
  assert.match(outcome.err, /\/nowhere\/log.*ENOENT/);
});

test("log: JSON line with level, msg and RFC 3339 time in the file, bare message on stderr", () => {
  const host = fakeHost();
  const outcome = host.run(["--log", "/run/log.json", "--log-format", "json", "state", "c1"]);
  const line = JSON.parse(host.kernel.fs.readTextAt(-100, "/run/log.json", 1000)) as Record<string, string>;
  assert.equal(line["level"], "error");
  assert.equal(line["msg"], "container does not exist");
  assert.match(line["time"] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(outcome.err, "container does not exist");
});
