import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

const STATES: readonly {
  readonly name: string;
  readonly prepare: (host: FakeHost) => void;
  readonly code: number;
  readonly text: RegExp;
}[] = [
  { name: "created", prepare: (host) => void host.run(["create", "-b", "/bundle", "c1"]), code: 0, text: /^$/ },
  {
    name: "running",
    code: 0,
    text: /^$/,
    prepare: (host) => {
      host.run(["create", "-b", "/bundle", "c1"]);
      host.run(["start", "c1"]);
    },
  },
  {
    name: "stopped",
    code: 1,
    text: /container not running/,
    prepare: (host) => {
      host.run(["create", "-b", "/bundle", "c1"]);
      host.run(["kill", "c1", "9"]);
    },
  },
  { name: "missing", prepare: () => {}, code: 1, text: /container does not exist/ },
];

for (const { name, prepare, code, text } of STATES) {
  test(`kill: ${code === 0 ? "signal delivered" : "error"} when ${name}`, () => {
    const host = fakeHost();
    prepare(host);
    const outcome = host.run(["kill", "c1", "TERM"]);
    assert.equal(outcome.code, code);
    assert.match(outcome.err, text);
  });
}

test("kill: success on a stopped container with --all, as containerd expects", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["kill", "c1", "9"]);
  assert.equal(host.run(["kill", "--all", "c1", "9"]).code, 0);
});

test("kill: a pid that the kernel gave to another process counts as gone", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  const init = [...host.world.processes.values()].find((one) => one.pid !== 100 && one.state === "running");
  assert.ok(init !== undefined);
  init.startTime += 1;
  assert.match(host.run(["kill", "c1", "KILL"]).err, /container not running/);
  assert.equal(init.state, "running");
});

test("kill: KILL reaches every process when the pid namespace is the host's", () => {
  const host = fakeHost();
  host.configure((spec) => ({
    ...spec,
    linux: { ...spec.linux, namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "pid") },
  }));
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  host.run(["exec", "-d", "c1", "/bin/daemon"]);
  assert.equal(
    [...host.world.processes.values()].filter((one) => one.program !== null && one.state === "running").length,
    2,
  );
  host.run(["kill", "c1", "KILL"]);
  assert.equal(
    [...host.world.processes.values()].filter((one) => one.program !== null && one.state === "running").length,
    0,
  );
});

for (const signal of ["FOO", "65", "-1", "SIGRTMAX+1", ""]) {
  test(`kill: invalid for signal ${JSON.stringify(signal)}`, () => {
    const host = fakeHost();
    host.run(["create", "-b", "/bundle", "c1"]);
    assert.match(host.run(["kill", "c1", signal]).err, /unknown signal/);
  });
}

test("kill: SIGKILL ends a paused container", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  host.run(["pause", "c1"]);
  assert.equal(host.run(["kill", "c1", "KILL"]).code, 0);
  assert.equal(host.kernel.fs.readTextAt(-100, "/sys/fs/cgroup/freezer/c1/freezer.state", 100).trim(), "THAWED");
  assert.equal(host.status("c1"), "stopped");
});
