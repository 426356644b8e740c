import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

const statuses = (host: FakeHost): [string, string][] =>
  (JSON.parse(host.run(["list", "--format", "json"]).out) as { id: string; status: string }[]).map(
    ({ id, status }): [string, string] => [id, status],
  );

function four(): FakeHost {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "waits"]);
  for (const id of ["runs", "paused", "killed"]) host.run(["run", "-d", "-b", "/bundle", id]);
  host.run(["pause", "paused"]);
  host.run(["kill", "killed", "KILL"]);
  return host;
}

const EXPECTED = [
  ["killed", "stopped"],
  ["paused", "paused"],
  ["runs", "running"],
  ["waits", "created"],
];

test("list: every container's status, by id", () => {
  assert.deepEqual(statuses(four()), EXPECTED);
});

test("list: records of earlier versions, without a line for their head", () => {
  const host = four();
  for (const [id] of EXPECTED) {
    const path = `/run/teu/${id}/state.json`;
    const { head, ...record } = JSON.parse(host.kernel.fs.readTextAt(-100, path, 1 << 20)) as { head: unknown };
    assert.notEqual(head, undefined);
    host.writeFile(path, JSON.stringify(record));
  }
  assert.deepEqual(statuses(host), EXPECTED);
});

test("list: a directory without a record is left out", () => {
  const host = four();
  host.makeDirectory("/run/teu/half");
  host.makeLink("/run/teu/link", "/run/teu/runs");
  assert.deepEqual(statuses(host), EXPECTED);
});

test("list: a table whose columns are as wide as their content", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "a-rather-long-name"]);
  const [head = "", row = ""] = host.run(["list"]).out.split("\n");
  assert.equal(head.indexOf("PID"), "a-rather-long-name".length + 1);
  assert.equal(row.indexOf("running"), head.indexOf("STATUS"));
  assert.ok(row.endsWith("Z root"));
});

test("list: nothing where there is no root", () => {
  assert.equal(fakeHost().run(["list", "--format", "json"]).out, "null");
});
