import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function three(): FakeHost {
  const host = fakeHost();
  for (const id of ["web-1", "web-2", "db"]) host.run(["run", "-d", "-b", "/bundle", id]);
  return host;
}

const ids = (host: FakeHost): string[] =>
  host
    .run(["list", "-q"])
    .out.split("\n")
    .filter((id) => id !== "");

test("delete --regex: all that match and no other", () => {
  const host = three();
  assert.equal(host.run(["delete", "-f", "-r", "^web-"]).code, 0);
  assert.deepEqual(ids(host), ["db"]);
});

test("kill --regex: all that match and no other", () => {
  const host = three();
  assert.equal(host.run(["kill", "--regex", "web|x", "KILL"]).code, 0);
  assert.deepEqual(
    ["web-1", "web-2", "db"].map((id) => host.status(id)),
    ["stopped", "stopped", "running"],
  );
});

test("delete --regex: one that cannot be deleted is told, and the others are gone", () => {
  const host = three();
  host.run(["kill", "web-2", "9"]);
  const outcome = host.run(["delete", "-r", "^web"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /cannot delete container web-1 that is not stopped: running/);
  assert.deepEqual(ids(host), ["db", "web-1"]);
});

test("delete --regex: success when nothing matches", () => {
  assert.deepEqual(fakeHost().run(["delete", "-r", "x"]), { code: 0, out: "", err: "" });
});

test("delete --regex: invalid for what is no expression", () => {
  assert.match(fakeHost().run(["delete", "-r", "("]).err, /invalid regular expression/);
});
