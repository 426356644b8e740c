import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";
import { parseUser } from "./user-flag.ts";

function running(): FakeHost {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  return host;
}

test("exec: exit code is the program's", () => {
  assert.equal(running().run(["exec", "c1", "/bin/seven"]).code, 7);
});

test("exec: enters every namespace and cgroup of the container", () => {
  const host = running();
  host.run(["exec", "-d", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]);
  const pid = Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20));
  const [init] = [...host.world.processes.values()].filter((one) => one.program !== null && one.pid !== pid);
  const process = host.world.processes.get(pid);
  for (const name of ["net", "ipc", "uts", "mnt"])
    assert.equal(process?.namespaces[name], init?.namespaces[name], name);
  assert.equal(process?.cgroups.get("pids"), "/c1");
  assert.deepEqual([...(process?.fds.keys() ?? [])], [0, 1, 2]);
});

test("exec: into the cgroup below the container's that its init has moved to, when the container's takes no processes", () => {
  const host = fakeHost({ cgroups: [""] });
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["start", "c1"]);
  host.kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/c1/init", 0o755);
  const [init] = [...host.world.processes.values()].filter((one) => one.program !== null);
  init?.cgroups.set("", "/c1/init");
  host.failOn("process.clone3", 2, "EBUSY");
  assert.equal(host.run(["exec", "-d", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]).err, "");
  const process = host.world.processes.get(Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20)));
  assert.equal(process?.cgroups.get(""), "/c1/init");
});

test("exec: --cap leaves the inheritable and ambient sets empty (CVE-2022-29162)", () => {
  const host = running();
  host.run(["exec", "-d", "--cap", "CAP_NET_RAW", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]);
  const process = host.world.processes.get(Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20)));
  assert.ok(process?.effective.has(13));
  assert.deepEqual([...(process?.inheritable ?? [])], []);
  assert.deepEqual([...(process?.ambient ?? [])], []);
});

test("exec: exit 255 in runc's words when there is no such program", () => {
  const outcome = running().run(["exec", "c1", "/nope"]);
  assert.equal(outcome.code, 255);
  assert.match(
    outcome.err,
    /exec failed: unable to start container process: exec: \\"\/nope\\": stat \/nope: no such file or directory/,
  );
});

test("exec: conflict when stopped", () => {
  const host = running();
  host.run(["kill", "c1", "KILL"]);
  assert.match(host.run(["exec", "c1", "/bin/true"]).err, /cannot exec in a stopped container/);
});

test("exec: conflict when init's pid becomes a host process's while its namespaces are looked at", () => {
  const host = running();
  const init = [...host.world.processes.values()].find((one) => one.program !== null);
  assert.ok(init !== undefined);
  const own = host.world.processes.get(100)?.namespaces;
  const { fs } = host.kernel;
  const readlinkAt: typeof fs.readlinkAt = (dirfd, path) => {
    if (path.startsWith(`/proc/${init.pid}/ns/`) && init.startTime !== 1) {
      init.startTime = 1;
      Object.assign(init.namespaces, own);
    }
    return fs.readlinkAt(dirfd, path);
  };
  const programs = (): number => [...host.world.processes.values()].filter((one) => one.program !== null).length;
  const before = programs();
  const { code, err } = host.run(["exec", "-d", "c1", "/bin/daemon"], { ...host.kernel, fs: { ...fs, readlinkAt } });
  assert.match(err, /cannot exec in a stopped container/);
  assert.equal(code, 255);
  assert.equal(programs(), before);
});

test("exec: conflict when paused, unless told to", () => {
  const host = running();
  host.run(["pause", "c1"]);
  assert.match(host.run(["exec", "c1", "/bin/true"]).err, /cannot exec in a paused container/);
  assert.equal(host.run(["exec", "--ignore-paused", "c1", "/bin/true"]).code, 0);
  assert.equal(host.run(["resume", "c1"]).code, 0);
});

test("exec: flags after the id belong to the program", () => {
  assert.equal(running().run(["exec", "c1", "/bin/seven", "--cwd", "-h"]).code, 7);
});

const USERS: readonly (readonly [string, { uid?: number; gid?: number } | null])[] = [
  ["", {}],
  ["1", { uid: 1 }],
  ["1:2", { uid: 1, gid: 2 }],
  ["0", { uid: 0 }],
  ["1:", null],
  ["0x1", null],
  ["abc", null],
  ["1x", null],
  ["4294967295", null],
  ["1:4294967295", null],
  ["-1", null],
  [" 1", null],
  ["99999999999", null],
];
for (const [text, want] of USERS) {
  test(`parseUser: ${want === null ? "invalid" : "accepted"} for ${JSON.stringify(text)} (CVE-2016-3697, CVE-2026-30892)`, () => {
    if (want === null) assert.throws(() => parseUser(text), { code: "invalid" });
    else assert.deepEqual(parseUser(text), want);
  });
}

test("exec: invalid when --preserve-fds is negative", () => {
  const outcome = running().run(["exec", "--preserve-fds=-1", "c1", "/bin/true"]);
  assert.equal(outcome.code, 255);
  assert.match(outcome.err, /want 0 to 1024/);
});

test("exec: capabilities are the container's when process.json names none, and its own when it does", () => {
  const host = running();
  const effective = (extra: string): number[] => {
    host.writeFile("/run/p.json", `{"cwd":"/","args":["/bin/daemon"]${extra}}`);
    assert.equal(host.run(["exec", "-d", "-p", "/run/p.json", "--pid-file", "/run/exec.pid", "c1"]).code, 0);
    const process = host.world.processes.get(Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20)));
    return [...(process?.effective ?? [])].sort((a, b) => a - b);
  };
  assert.deepEqual(effective(""), [5, 10, 29]);
  assert.deepEqual(effective(',"capabilities":{}'), []);
});
