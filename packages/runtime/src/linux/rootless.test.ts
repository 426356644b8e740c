import assert from "node:assert/strict";
import { test } from "node:test";
import type { IdMapping, Spec } from "@teu/specs/runtime";
import { transcribe } from "@teu/sys/transcript/transcript";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";
import { OWN, rootlessHost, rootlessSpec } from "../testing/rootless-host.ts";

const MANY: readonly IdMapping[] = [
  { containerID: 0, hostID: OWN, size: 1 },
  { containerID: 1, hostID: 100_000, size: 65_536 },
];
const linux = (spec: Spec, more: NonNullable<Spec["linux"]>): Spec => ({ ...spec, linux: { ...spec.linux, ...more } });
const process = (spec: Spec, more: Partial<NonNullable<Spec["process"]>>): Spec => ({
  ...spec,
  process: { cwd: "/", ...spec.process, ...more },
});
const many = (spec: Spec): Spec => linux(spec, { uidMappings: [...MANY], gidMappings: [...MANY] });

/** Runs the command and returns its outcome with the transcript. */
function traced(host: FakeHost, ...words: string[]) {
  const lines: string[] = [];
  return {
    ...host.run(
      words,
      transcribe(host.kernel, (line) => lines.push(line)),
    ),
    lines,
  };
}

/** Creates c1 with a changed configuration. */
function create(change: (spec: Spec) => Spec, host = rootlessHost(), ...flags: string[]) {
  host.configure(() => change(rootlessSpec()));
  return { host, ...traced(host, ...flags, "create", "-b", "/bundle", "c1") };
}

function assertNothingLeft(host: FakeHost): void {
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.deepEqual(host.leaks().cgroups, []);
  const left = [...host.world.processes.values()].filter((one) => one.pid !== 100 && one.state === "running");
  assert.deepEqual(left, []);
}

test("rootless: single mapping is written by ourselves, after setgroups is given up", () => {
  const { code, err, lines } = create((spec) => spec);
  assert.equal(code, 0, err);
  const maps = lines
    .filter((line) => /setgroups"|_map"/.test(line))
    .map((line) => line.replace(/\/proc\/\d+/, "/proc/N"));
  assert.deepEqual(maps, [
    'runtime writeTextAt("/proc/N/setgroups", "deny")',
    `runtime writeTextAt("/proc/N/gid_map", "0 ${OWN} 1\\n")`,
    `runtime writeTextAt("/proc/N/uid_map", "0 ${OWN} 1\\n")`,
  ]);
});

test("rootless: several mappings through newgidmap and newuidmap", () => {
  const { code, err, lines } = create(many);
  assert.equal(code, 0, err);
  const spawned = lines.filter((line) => line.includes(" spawn(")).map((line) => /"argv":(\[[^\]]*\])/.exec(line)?.[1]);
  const words = spawned.map((text) => (JSON.parse(text ?? "[]") as string[]).filter((_, index) => index !== 1));
  const numbers = MANY.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size]).map(String);
  assert.deepEqual(words, [
    ["newgidmap", ...numbers],
    ["newuidmap", ...numbers],
  ]);
});

test("rootless: denied, and everything undone, when newuidmap does not grant the mapping", () => {
  const { host, code, err } = create(many, rootlessHost({ programs: new Map([["/usr/bin/newuidmap", 1]]) }));
  assert.equal(code, 1);
  assert.match(err, /cannot map uids .*newuidmap failed.*\/etc\/subuid/);
  assertNothingLeft(host);
});

test("rootless: denied with what to install when there is no newgidmap", () => {
  const host = rootlessHost();
  host.kernel.fs.unlinkAt(-100, "/usr/bin/newgidmap", 0);
  const { code, err } = create(many, host);
  assert.equal(code, 1);
  assert.match(err, /newgidmap is not installed.*package uidmap/);
  assertNothingLeft(host);
});

test("rootless: no cgroup when none can be made, and none is recorded", () => {
  const { host, code, err } = create((spec) => spec);
  assert.equal(code, 0, err);
  const record = JSON.parse(host.kernel.fs.readTextAt(-100, "/run/teu/c1/state.json", 1 << 20)) as {
    cgroup: { directories: unknown[] };
  };
  assert.deepEqual(record.cgroup.directories, []);
});

const REFUSED: readonly (readonly [string, (spec: Spec) => Spec, readonly string[], RegExp])[] = [
  [
    "a limit cannot be set",
    (spec) => linux(spec, { resources: { pids: { limit: 5 } } }),
    [],
    /cannot set pids limit: container could not join or create cgroup/,
  ],
  [
    "the cgroup is named",
    (spec) => linux(spec, { cgroupsPath: "/named" }),
    [],
    /permission denied.*Without linux.cgroupsPath/,
  ],
  ["--rootless false", (spec) => spec, ["--rootless", "false"], /permission denied.*--rootless=true/],
  [
    "there is no user namespace",
    ({ linux: { uidMappings: _u, gidMappings: _g, ...rest } = {}, ...spec }) => ({
      ...spec,
      linux: { ...rest, namespaces: (rest.namespaces ?? []).filter(({ type }) => type !== "user") },
    }),
    [],
    /rootless container requires user namespaces/,
  ],
  [
    "the user is not mapped",
    (spec) => process(spec, { user: { uid: 5, gid: 0 } }),
    [],
    /cannot set uid to unmapped user in user namespace/,
  ],
  [
    "the group is not mapped",
    (spec) => process(spec, { user: { uid: 0, gid: 5 } }),
    [],
    /cannot set gid to unmapped user in user namespace/,
  ],
  [
    "an additional group is not mapped",
    (spec) => process(spec, { user: { uid: 0, gid: 0, additionalGids: [9] } }),
    [],
    /cannot set group 9/,
  ],
  ["the OOM score is lowered", (spec) => process(spec, { oomScoreAdj: -5 }), [], /lowering it needs CAP_SYS_RESOURCE/],
];
for (const [name, change, flags, text] of REFUSED) {
  test(`rootless: error, and everything undone, when ${name}`, () => {
    const { host, code, err } = create(change, rootlessHost(), ...flags);
    assert.equal(code, 1);
    assert.match(err, text);
    assertNothingLeft(host);
  });
}

test("rootless: on cgroup v2 runc's words when a limit cannot be set, and none needed without", () => {
  const limited = create((spec) => linux(spec, { resources: { pids: { limit: 5 } } }), rootlessHost({ cgroups: [""] }));
  assert.match(limited.err, /rootless needs no limits \+ no cgrouppath when no permission is granted for cgroups/);
  const free = create((spec) => spec, rootlessHost({ cgroups: [""] }));
  assert.equal(free.code, 0, free.err);
});

test("rootless: OOM score set by the child while it is dumpable, and it is not dumpable afterwards", () => {
  const { host, code, err } = create((spec) => process(spec, { oomScoreAdj: 500 }));
  assert.equal(code, 0, err);
  const init = [...host.world.processes.values()].find((one) => one.namespaces["user"] !== undefined);
  assert.equal(init?.oomScoreAdj, 500);
  assert.equal(init?.dumpable, false);
});

test("rootless: additional groups are no error when setgroups is given up and they are there already", () => {
  const same = create((spec) => process(spec, { user: { uid: 0, gid: 0, additionalGids: [0] } }));
  assert.equal(same.code, 0, same.err);
});

test("rootless: a time namespace is the container's own user namespace's, made by the child", () => {
  const { code, err, lines } = create((spec) =>
    linux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), { type: "time" }] }),
  );
  assert.equal(code, 0, err);
  assert.equal(lines.filter((line) => /^child +unshare\(CLONE_NEWTIME\)/.test(line)).length, 1);
  assert.equal(
    lines.some((line) => line.startsWith("runtime unshare")),
    false,
  );
});

test("rootless: devices are bound, and bind sources opened by the child", () => {
  const { code, err, lines } = create((spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: "/data", type: "bind", source: "/bundle", options: ["rbind"] }],
  }));
  assert.equal(code, 0, err);
  assert.ok(lines.some((line) => /^child +openTree\("\/dev\/null"/.test(line)));
  assert.ok(lines.some((line) => /^child +openTree\("\/bundle", /.test(line)));
});

test("exec: rootless through a process in between, which is gone afterwards", () => {
  const { host } = create((spec) => spec);
  host.run(["start", "c1"]);
  const before = new Set(host.world.processes.keys());
  const { code, err } = host.run(["exec", "-d", "--pid-file", "/run/exec.pid", "c1", "/bin/daemon"]);
  assert.equal(code, 0, err);
  const pid = Number(host.kernel.fs.readTextAt(-100, "/run/exec.pid", 20));
  assert.deepEqual(
    [...host.world.processes.keys()].filter(
      (one) => !before.has(one) && host.world.processes.get(one)?.state === "running",
    ),
    [pid],
  );
  const init = [...host.world.processes.values()].find(
    (one) => one.pid !== pid && one.namespaces["user"] !== undefined,
  );
  for (const name of ["user", "pid", "mnt", "ipc", "uts"])
    assert.equal(host.world.processes.get(pid)?.namespaces[name], init?.namespaces[name], name);
});

test("exec: rootless error of the process in between is told", () => {
  const { host } = create((spec) => spec);
  host.run(["start", "c1"]);
  host.failOn("namespace.setns", 1, "EINVAL");
  const outcome = host.run(["exec", "c1", "/bin/true"]);
  assert.equal(outcome.code, 255);
  assert.match(outcome.err, /EINVAL/);
});

test("kill, ps, pause: rootless without a cgroup", () => {
  const { host } = create((spec) => spec);
  host.run(["start", "c1"]);
  host.run(["exec", "-d", "c1", "/bin/daemon"]);
  const pids = JSON.parse(host.run(["ps", "--format", "json", "c1"]).out) as number[];
  assert.equal(pids.length, 2);
  assert.match(host.run(["pause", "c1"]).err, /cgroups not configured for container/);
  assert.equal(host.run(["kill", "--all", "c1", "KILL"]).code, 0);
  for (const pid of pids) assert.notEqual(host.world.processes.get(pid)?.state, "running");
  assert.equal(host.run(["delete", "c1"]).code, 0);
});

test("create: device nodes are bound in an outer user namespace, which forbids mknod", () => {
  const host = fakeHost({ refuse: (call) => (call === "fs.mknodAt" ? "EPERM" : "") });
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 1, "not outside of one");
  const nested = fakeHost({
    refuse: (call, args) => (call === "fs.mknodAt" && (Number(args[2]) & 0o170000) === 0o020000 ? "EPERM" : ""),
  });
  nested.world.self.idMaps.set("uid_map", "0 1000 1\n");
  const outcome = nested.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 0, outcome.err);
});

test("create: a device that the configuration binds keeps its owner in an outer user namespace", () => {
  const host = fakeHost({ refuse: (call) => (call === "fs.chownAt" ? "EPERM" : "") });
  const bind = (spec: Spec): Spec => ({
    ...spec,
    mounts: [
      ...(spec.mounts ?? []),
      { destination: "/dev/null", type: "bind", source: "/dev/null", options: ["bind"] },
    ],
    linux: { ...spec.linux, devices: [{ path: "/dev/null", type: "c", major: 1, minor: 3, uid: 5 }] },
  });
  host.configure(bind);
  assert.match(host.run(["create", "-b", "/bundle", "c1"]).err, /EPERM/, "not outside of one");
  host.world.self.idMaps.set("uid_map", "0 1000 1\n");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 0, outcome.err);
});

test("create: a devpts without its group when that is not mapped, but no other file system", () => {
  const unmapped = (fstype: string) =>
    fakeHost({
      refuse: (call, args, world) =>
        call === "mount.fsconfigString" &&
        args[1] === "gid" &&
        world.file(Number(args[0]), "").options.get("fstype") === fstype
          ? "EINVAL"
          : "",
    });
  const terminals = unmapped("devpts").run(["create", "-b", "/bundle", "c1"]);
  assert.equal(terminals.code, 0, terminals.err);
  const host = unmapped("tmpfs");
  host.configure((spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: "/data", type: "tmpfs", source: "tmpfs", options: ["gid=5"] }],
  }));
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 1);
});

test("create: the host's /sys, read-only, where a sysfs is refused and the network is the host's", () => {
  const refuse = (call: string, args: readonly unknown[]): string =>
    call === "mount.fsopen" && args[0] === "sysfs" ? "EPERM" : "";
  const host = fakeHost({ refuse });
  const own = host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(own.err, /cannot make a new sysfs.*network namespace of its own/);
  host.configure((spec) =>
    linux(spec, { namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "network") }),
  );
  const { code, err, lines } = traced(host, "create", "-b", "/bundle", "c1");
  assert.equal(code, 0, err);
  const at = lines.findIndex((line) => /openTree\("\/sys"/.test(line));
  assert.match(lines[at + 1] ?? "", /mountSetattr\(.*AT_RECURSIVE.*MOUNT_ATTR_RDONLY/);
});
