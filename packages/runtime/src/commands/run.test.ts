import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

for (const [program, code] of [
  ["/bin/true", 0],
  ["/bin/false", 1],
  ["/bin/seven", 7],
] as const) {
  test(`run: exit code ${code} is the container's, and nothing is left`, () => {
    const host = fakeHost();
    host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", args: [program] } }));
    assert.equal(host.run(["run", "-b", "/bundle", "c1"]).code, code);
    assert.equal(host.exists("/run/teu/c1"), false);
    assert.deepEqual(host.leaks().cgroups, []);
  });
}

test("run: --keep leaves the stopped container", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", args: ["/bin/true"] } }));
  assert.equal(host.run(["run", "--keep", "-b", "/bundle", "c1"]).code, 0);
  assert.equal(host.status("c1"), "stopped");
});

test("run: single-dash long flags are understood", () => {
  const host = fakeHost();
  assert.equal(host.run(["run", "-detach", "-no-subreaper", "-bundle=/bundle", "c1"]).code, 0);
  assert.equal(host.status("c1"), "running");
});

test("run: cgroup v2 alone: born in its cgroup, limits in v2 files", () => {
  const host = fakeHost({ cgroups: [""] });
  host.configure((spec) => ({
    ...spec,
    linux: { ...spec.linux, cgroupsPath: "/box", resources: { memory: { limit: 64 << 20 }, pids: { limit: 5 } } },
  }));
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).code, 0);
  assert.equal(host.kernel.fs.readTextAt(-100, "/sys/fs/cgroup/box/memory.max", 100), String(64 << 20));
  assert.equal(host.kernel.fs.readTextAt(-100, "/sys/fs/cgroup/box/pids.max", 100), "5");
  const init = [...host.world.processes.values()].find((one) => one.program !== null);
  assert.equal(init?.cgroups.get(""), "/box");
});

test("run: a user namespace gets its maps from outside before it goes on", () => {
  const host = fakeHost();
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  host.configure((spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      uidMappings: maps,
      gidMappings: maps,
      namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
    },
  }));
  assert.deepEqual(host.run(["run", "-d", "-b", "/bundle", "c1"]), { code: 0, out: "", err: "" });
  const init = [...host.world.processes.values()].find((one) => one.program !== null);
  assert.equal(init?.idMaps.get("uid_map"), "0 100000 65536\n");
  assert.equal(init?.idMaps.get("gid_map"), "0 100000 65536\n");
});

test("run, create, exec: the program does not inherit that signals are ignored", () => {
  const host = fakeHost();
  for (const signal of [1, 13, 17]) host.kernel.process.ignoreSignal(signal);
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
  assert.equal(host.run(["start", "c1"]).code, 0);
  assert.equal(host.run(["exec", "--detach", "c1", "/bin/daemon"]).code, 0);
  const programs = [...host.world.processes.values()].filter(({ program }) => program?.path === "/bin/daemon");
  assert.deepEqual(
    programs.map(({ ignored }) => [...ignored]),
    [[], []],
  );
});
