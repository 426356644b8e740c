import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

test("start: the waiting process becomes the program with three fds, the configured identity and nothing of the host", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.deepEqual(host.run(["start", "c1"]), { code: 0, out: "", err: "" });
  assert.equal(host.status("c1"), "running");
  const init = [...host.world.processes.values()].find((one) => one.program?.path === "/bin/daemon");
  assert.ok(init !== undefined);
  assert.deepEqual([...init.fds.keys()], [0, 1, 2]);
  assert.equal(init.noNewPrivileges, true);
  assert.equal(init.hostname, "box");
  assert.deepEqual([...init.effective].sort(), [10, 29, 5]);
  assert.deepEqual([...init.bounding].sort(), [10, 29, 5]);
  assert.deepEqual([...init.inheritable], []);
  assert.equal(init.cgroups.get("memory"), "/c1");
  assert.deepEqual(init.program?.env.at(-1), "HOME=/");
});

test("start: conflict when already running", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["start", "c1"]);
  assert.match(host.run(["start", "c1"]).err, /cannot start an already running container/);
});

test("start: conflict when stopped", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["kill", "c1", "KILL"]);
  assert.match(host.run(["start", "c1"]).err, /cannot start a container that has stopped/);
});

test("start: not-found when there is no such container", () => {
  const outcome = fakeHost().run(["start", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /container does not exist/);
});

test("start: says why execve refused", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.failOn("process.execveat", 1, "ENOEXEC");
  const outcome = host.run(["start", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /exec \\"\/bin\/daemon\\": exec format error/);
  assert.equal(host.status("c1"), "stopped");
});

test("start: fails, and create does not, when there are no args", () => {
  const host = fakeHost();
  host.configure(({ process: _, ...spec }) => spec);
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
  assert.equal(host.run(["start", "c1"]).code, 1);
});

test("start: poststart hooks run after it; one that fails kills the container", () => {
  const host = fakeHost({ programs: new Map([["/usr/bin/failing-hook", 3]]) });
  host.configure((spec) => ({ ...spec, hooks: { poststart: [{ path: "/usr/bin/failing-hook" }] } }));
  host.run(["create", "-b", "/bundle", "c1"]);
  const outcome = host.run(["start", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /error running poststart hook #0: exit status 3/);
  assert.equal(host.status("c1"), "stopped");
});

test("start: conflict while another command holds the container", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  const other = host.kernel.fs.openat(-100, "/run/teu/c1", 0, 0);
  host.kernel.fs.flock(other, 6);
  assert.match(host.run(["start", "c1"]).err, /another command is working on it/);
});

test("start: conflict when paused, instead of waiting for it to be resumed", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["pause", "c1"]);
  assert.match(host.run(["start", "c1"]).err, /cannot start a container in the paused state/);
  host.run(["resume", "c1"]);
  assert.equal(host.run(["start", "c1"]).code, 0);
});
