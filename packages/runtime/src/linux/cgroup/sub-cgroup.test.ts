import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../../testing/fake-host.ts";
import type { CgroupRecord } from "./record.ts";
import { subCgroup } from "./sub-cgroup.ts";

const LEGACY: CgroupRecord = {
  kind: "legacy",
  directories: [
    { controllers: "cpu,cpuacct", path: "/sys/fs/cgroup/cpu,cpuacct/c1" },
    { controllers: "memory", path: "/sys/fs/cgroup/memory/c1" },
    { controllers: "", path: "/sys/fs/cgroup/unified/c1" },
  ],
};

const GOOD: readonly (readonly [readonly string[], readonly string[]])[] = [
  [[], ["/c1", "/c1", "/c1"]],
  [["/"], ["/c1", "/c1", "/c1"]],
  [["x"], ["/c1/x", "/c1/x", "/c1/x"]],
  [["/x/./y/"], ["/c1/x/y", "/c1/x/y", "/c1/x/y"]],
  [["cpu:x"], ["/c1/x", "/c1", "/c1"]],
  [["cpuacct,memory:/x"], ["/c1/x", "/c1/x", "/c1"]],
  [
    ["cpu:x", "memory:y"],
    ["/c1/x", "/c1/y", "/c1"],
  ],
  [[":x"], ["/c1", "/c1", "/c1/x"]],
];
for (const [wanted, tails] of GOOD) {
  test(`subCgroup: ${JSON.stringify(wanted)}`, () => {
    assert.deepEqual(
      subCgroup(LEGACY, wanted).directories.map(({ path }) => path.slice(path.indexOf("/c1"))),
      tails,
    );
  });
}

for (const wanted of [["../x"], ["x/../../y"], ["cpu:.."], ["pids:x"], ["x", "cpu:y"]]) {
  test(`subCgroup: invalid for ${JSON.stringify(wanted)}`, () =>
    assert.throws(() => subCgroup(LEGACY, wanted), { code: "invalid" }));
}

test("exec --cgroup: the process is in the child cgroup", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  host.kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/pids/c1/sub", 0o755);
  host.run(["exec", "-d", "--cgroup", "pids:sub", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]);
  const { cgroups } =
    host.world.processes.get(Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20))) ?? assert.fail();
  assert.deepEqual([cgroups.get("pids"), cgroups.get("memory")], ["/c1/sub", "/c1"]);
});

test("exec: goes where init is when the container's v2 cgroup takes no process (controllers passed on below)", () => {
  const host = fakeHost({ cgroups: [""] });
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const { fs } = host.kernel;
  fs.mkdirAt(-100, "/sys/fs/cgroup/c1/init.scope", 0o755);
  const init = [...host.world.processes.values()].find((one) => one.program !== null);
  fs.writeTextAt(-100, "/sys/fs/cgroup/c1/init.scope/cgroup.procs", String(init?.pid));
  // The first clone of the command line is the test's own process.
  host.failOn("process.clone3", 2, "EBUSY");
  const outcome = host.run(["exec", "-d", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]);
  assert.deepEqual(outcome, { code: 0, out: "", err: "" });
  const process = host.world.processes.get(Number(fs.readTextAt(-100, "/run/exec.pid", 20)));
  assert.equal(process?.cgroups.get(""), "/c1/init.scope");
});
