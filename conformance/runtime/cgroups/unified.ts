// cgroup v2 alone: limits in their files, the device list, freezer, out of memory, delegation (runtime-spec, "Control groups";
// kernel Documentation/admin-guide/cgroup-v2.rst). Skipped on other layouts; `npm run test:vm` has a kernel with it.

import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LinuxResources, Spec } from "@teu/specs/runtime";
import {
  type Bench,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";
import { OWN, User } from "../rootless/user.ts";

const BASE = "/sys/fs/cgroup";
const MIB = 1 << 20;

let next = 0;
const freshPath = (): string => `/teu-conf2-${process.pid}-${next++}`;
const file = (path: string, name: string): string => join(BASE, path, name);
const read = (path: string, name: string): string => readFileSync(file(path, name), "utf8").trim();

const placed =
  (path: string, resources: LinuxResources = {}) =>
  (spec: Spec): Spec =>
    withLinux(spec, { resources: { ...spec.linux?.resources, ...resources }, cgroupsPath: path });

/** A cgroup mount that the container may write to, in a cgroup namespace. */
const withOwnCgroups = (spec: Spec): Spec => ({
  ...withLinux(spec, {
    namespaces: [...(spec.linux?.namespaces ?? []).filter(({ type }) => type !== "cgroup"), { type: "cgroup" }],
  }),
  mounts: [
    ...(spec.mounts ?? []).filter(({ destination }) => destination !== "/sys/fs/cgroup"),
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "rw"] },
  ],
});

const withMknod = (spec: Spec): Spec => {
  const names = ["CAP_MKNOD", "CAP_KILL"];
  return withProcess(
    { ...spec, root: { path: "rootfs" } },
    { capabilities: { bounding: names, effective: names, permitted: names } },
  );
};

function unified(name: string, run: (bench: Bench) => void): RuntimeCase {
  return {
    name: `cgroup v2: ${name}`,
    run: (bench) => {
      if (!existsSync(join(BASE, "cgroup.controllers"))) throw new Skip("this host's cgroups are not cgroup v2");
      run(bench);
    },
  };
}

/** A cgroup of the case's own, gone at its end. */
function parentCgroup(bench: Bench): string {
  const path = freshPath();
  mkdirSync(join(BASE, path));
  bench.defer(() => rmdirSync(join(BASE, path)));
  return path;
}

const LIMITS: readonly (readonly [string, LinuxResources, string, string])[] = [
  ["memory.limit", { memory: { limit: 64 * MIB } }, "memory.max", String(64 * MIB)],
  ["memory.reservation", { memory: { limit: 64 * MIB, reservation: 32 * MIB } }, "memory.low", String(32 * MIB)],
  [
    "memory.swap, which counts memory too",
    { memory: { limit: 64 * MIB, swap: 96 * MIB } },
    "memory.swap.max",
    String(32 * MIB),
  ],
  ["unlimited swap", { memory: { limit: 64 * MIB, swap: -1 } }, "memory.swap.max", "max"],
  ["cpu.quota and period", { cpu: { quota: 20_000, period: 100_000 } }, "cpu.max", "20000 100000"],
  ["cpu.period alone", { cpu: { period: 50_000 } }, "cpu.max", "max 50000"],
  ["cpu.cpus", { cpu: { cpus: "0" } }, "cpuset.cpus", "0"],
  ["cpu.mems", { cpu: { mems: "0" } }, "cpuset.mems", "0"],
  ["pids.limit", { pids: { limit: 17 } }, "pids.max", "17"],
  ["hugepageLimits", { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MIB }] }, "hugetlb.2MB.max", String(4 * MIB)],
  ["unified", { unified: { "memory.high": String(48 * MIB) } }, "memory.high", String(48 * MIB)],
  ["unified over its own limit", { pids: { limit: 5 }, unified: { "pids.max": "7" } }, "pids.max", "7"],
];

const limitCases: readonly RuntimeCase[] = LIMITS.map(([what, resources, name, value]) =>
  unified(`${what} is in ${name}`, (bench) => {
    const path = freshPath();
    bench.started(bench.script("sleep 60", placed(path, resources)));
    expectEqual(read(path, name), value, name);
  }),
);

export const cases: readonly RuntimeCase[] = [
  ...limitCases,
  unified("cpu.shares become a weight between 1 and 10000", (bench) => {
    const weights = [2, 1024, 262_144].map((shares) => {
      const path = freshPath();
      bench.started(bench.script("sleep 60", placed(path, { cpu: { shares } })));
      return Number(read(path, "cpu.weight"));
    });
    expectEqual([weights[0], weights[2]], [1, 10_000]);
    // 39 by the older, linear formula; 100 by the newer one.
    if (weights[1] !== 39 && weights[1] !== 100) throw new Error(`cpu.shares 1024 became ${weights[1]}`);
  }),
  unified("blockIO limits of a device are in io.max", (bench) => {
    if (!existsSync("/sys/block/loop0/dev")) throw new Skip("no block device on this host");
    const [major = 0, minor = 0] = readFileSync("/sys/block/loop0/dev", "utf8").trim().split(":").map(Number);
    const path = freshPath();
    const rate = { major, minor, rate: MIB };
    bench.started(
      bench.script(
        "sleep 60",
        placed(path, { blockIO: { throttleReadBpsDevice: [rate], throttleWriteIOPSDevice: [{ ...rate, rate: 100 }] } }),
      ),
    );
    expectEqual(read(path, "io.max"), `${major}:${minor} rbps=${MIB} wbps=max riops=max wiops=100`);
  }),
  unified("a unified entry that the kernel does not have is an error, and nothing is left", (bench) => {
    const path = freshPath();
    const bundle = bench.script("true", placed(path, { unified: { "memory.nonsense": "1" } }));
    expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified("a value that the kernel refuses is an error, and nothing is left", (bench) => {
    const path = freshPath();
    const bundle = bench.script("true", placed(path, { unified: { "memory.max": "many" } }));
    expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified("update changes limits", (bench) => {
    const path = freshPath();
    const id = bench.started(bench.script("sleep 60", placed(path, { memory: { limit: 64 * MIB } })));
    const input = JSON.stringify({
      memory: { limit: 96 * MIB, swap: 128 * MIB },
      cpu: { quota: 30_000, period: 100_000 },
      pids: { limit: 9 },
    });
    expectOk(bench.callWith({ input }, "update", "--resources", "-", id));
    expectEqual(
      ["memory.max", "memory.swap.max", "cpu.max", "pids.max"].map((name) => read(path, name)),
      [String(96 * MIB), String(32 * MIB), "30000 100000", "9"],
    );
  }),
  unified("every cgroup on the way to a nested one passes the controllers on", (bench) => {
    const parent = parentCgroup(bench);
    const path = `${parent}/inner/leaf`;
    const id = bench.started(
      bench.script("sleep 60", placed(path, { memory: { limit: 64 * MIB }, pids: { limit: 9 } })),
    );
    expectEqual([read(path, "memory.max"), read(path, "pids.max")], [String(64 * MIB), "9"]);
    expectMatch(read(`${parent}/inner`, "cgroup.subtree_control"), /memory/);
    expectOk(bench.call("delete", "--force", id));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
    if (existsSync(join(BASE, parent, "inner"))) rmdirSync(join(BASE, parent, "inner"));
  }),
  unified("a limit below a cgroup with processes is an error that leaves nothing", (bench) => {
    const parent = parentCgroup(bench);
    const sleeper = bench.script("sleep 60", placed(`${parent}/busy`));
    // A container's own cgroup is such a one: a process lives there, so it can pass nothing on.
    const id = bench.started(sleeper);
    const path = `${parent}/busy/below`;
    expectFailure(
      bench.call(
        "create",
        "--bundle",
        bench.script("true", placed(path, { memory: { limit: 64 * MIB } })).path,
        bench.id(),
      ),
    );
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
    expectEqual(bench.status(id), "running");
  }),
  unified("the first process is born in its cgroup and sees it as the root", (bench) => {
    const path = freshPath();
    const id = bench.started(
      bench.script("cat /proc/self/cgroup > /tmp/own; sleep 60", (spec) =>
        placed(path)(withOwnCgroups({ ...spec, root: { path: "rootfs" } })),
      ),
    );
    const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
    expectEqual(readFileSync(`/proc/${pid}/cgroup`, "utf8").trim(), `0::${path}`);
    expectEqual(expectOk(bench.call("exec", id, "/bin/cat", "/proc/1/cgroup")).out, "0::/");
    expectEqual(expectOk(bench.call("exec", id, "/bin/cat", "/sys/fs/cgroup/cgroup.type")).out, "domain");
  }),
  unified("exec and ps work when the container has cgroups of its own and lives in one", (bench) => {
    const path = freshPath();
    const script =
      "mkdir /sys/fs/cgroup/init && echo 1 > /sys/fs/cgroup/init/cgroup.procs && " +
      "echo +memory > /sys/fs/cgroup/cgroup.subtree_control && touch /tmp/ready; sleep 60";
    const bundle = bench.script(script, (spec) => placed(path)(withOwnCgroups({ ...spec, root: { path: "rootfs" } })));
    const id = bench.started(bundle);
    bench.until("the container has moved itself", () => existsSync(join(bundle.rootfs, "tmp/ready")));
    expectOk(bench.call("exec", id, "/bin/true"));
    expectMatch(expectOk(bench.call("ps", "--format", "json", id)).out, /\[\d+/);
    expectOk(bench.call("delete", "--force", id));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified("the device list is enforced, also after update", (bench) => {
    const path = freshPath();
    const script = "mknod /tmp/console c 5 1; mknod /tmp/zero c 1 5; while sleep 1; do :; done";
    const bundle = bench.script(script, (spec) => withMknod(placed(path)(spec)));
    const id = bench.started(bundle);
    bench.until("the nodes are there", () => existsSync(join(bundle.rootfs, "tmp/zero")));
    const look = (): number[] =>
      ["zero", "console"].map((name) => bench.call("exec", id, "/bin/sh", "-c", `exec 3</tmp/${name}`).code);
    const before = look();
    expectEqual([before[0], before[1] !== 0], [0, true], "zero opens, the console does not");
    expectOk(bench.callWith({ input: JSON.stringify({ pids: { limit: 50 } }) }, "update", "--resources", "-", id));
    const after = look();
    expectEqual([after[0], after[1] !== 0], [0, true], "after update");
  }),
  unified("a device rule gives only the access that it names", (bench) => {
    const rules = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c" as const, major: 5, minor: 1, access: "r" },
    ];
    const script =
      "mknod /tmp/console c 5 1; (exec 3</tmp/console) && echo read; (exec 3>/tmp/console) 2>/dev/null || echo not written";
    const outcome = bench.run(bench.script(script, (spec) => withMknod(placed(freshPath(), { devices: rules })(spec))));
    expectEqual(expectOk(outcome).out, "read\nnot written");
  }),
  unified("pause freezes, resume thaws, state says so", (bench) => {
    const path = freshPath();
    const id = bench.started(bench.script("while :; do :; done", placed(path)));
    expectOk(bench.call("pause", id));
    expectEqual([read(path, "cgroup.freeze"), bench.status(id)], ["1", "paused"]);
    expectMatch(read(path, "cgroup.events"), /frozen 1/);
    expectOk(bench.call("resume", id));
    expectEqual([read(path, "cgroup.freeze"), bench.status(id)], ["0", "running"]);
  }),
  unified("a paused container can be killed and deleted", (bench) => {
    const path = freshPath();
    const id = bench.started(bench.script("sleep 60", placed(path)));
    expectOk(bench.call("pause", id));
    expectOk(bench.call("kill", id, "KILL"));
    bench.until("it has stopped", () => bench.status(id) === "stopped");
    expectOk(bench.call("delete", id));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified("KILL without a pid namespace ends everything in the cgroup", (bench) => {
    const path = freshPath();
    const bundle = bench.script("sleep 61 & sleep 62 & sleep 63", (spec) => {
      const namespaces = (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "pid");
      return placed(path)(withLinux(spec, { namespaces }));
    });
    const id = bench.started(bundle);
    bench.until("all are there", () => read(path, "cgroup.procs").split("\n").length >= 3);
    expectOk(bench.call("kill", id, "KILL"));
    bench.until("all are gone", () => read(path, "cgroup.events").includes("populated 0"));
  }),
  unified("out of memory kills inside, and memory.events tells", (bench) => {
    const path = freshPath();
    const limits = { memory: { limit: 24 * MIB, swap: 24 * MIB } };
    const id = bench.started(
      bench.script("dd if=/dev/zero of=/dev/null bs=100M count=1; echo $? > /tmp/status; sleep 60", (spec) =>
        placed(path, limits)({ ...spec, root: { path: "rootfs" } }),
      ),
    );
    bench.until("the kernel has killed", () => /oom_kill [1-9]/.test(read(path, "memory.events")));
    expectEqual(bench.status(id), "running", "the first process is another one");
  }),
  unified("memory.oom.group ends the whole container", (bench) => {
    const path = freshPath();
    const limits = { memory: { limit: 24 * MIB, swap: 24 * MIB }, unified: { "memory.oom.group": "1" } };
    const id = bench.started(
      bench.script("dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 60", placed(path, limits)),
    );
    bench.until("it has stopped", () => bench.status(id) === "stopped");
    expectMatch(read(path, "memory.events"), /oom_group_kill [1-9]/);
  }),
  unified("a memory limit that is far too low is an error, not a hang", (bench) => {
    const path = freshPath();
    const bundle = bench.script("true", placed(path, { memory: { limit: 4096 } }));
    expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified("cgroups that the container made go with it", (bench) => {
    const path = freshPath();
    const script = "mkdir -p /sys/fs/cgroup/a/b/c /sys/fs/cgroup/d && touch /tmp/ready; sleep 60";
    const bundle = bench.script(script, (spec) => placed(path)(withOwnCgroups({ ...spec, root: { path: "rootfs" } })));
    const id = bench.started(bundle);
    bench.until("they are made", () => existsSync(join(bundle.rootfs, "tmp/ready")));
    expectOk(bench.call("kill", id, "KILL"));
    bench.until("it has stopped", () => bench.status(id) === "stopped");
    expectOk(bench.call("delete", id));
    expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
  }),
  unified(
    "a threaded cgroup cannot hold a container: an error that leaves nothing, or a container that runs",
    (bench) => {
      const parent = parentCgroup(bench);
      mkdirSync(join(BASE, parent, "threaded"));
      bench.defer(() => rmdirSync(join(BASE, parent, "threaded")));
      writeFileSync(file(`${parent}/threaded`, "cgroup.type"), "threaded");
      const path = `${parent}/threaded/box`;
      const outcome = bench.run(bench.script("echo runs", placed(path)));
      if (outcome.code === 0) expectEqual(outcome.out, "runs");
      expectEqual(existsSync(join(BASE, path)), false, "the cgroup exists");
    },
  ),
  unified("a user to whom a cgroup was delegated sets limits in it", (bench) => {
    const user = new User(bench);
    const parent = parentCgroup(bench);
    writeFileSync(join(BASE, "cgroup.subtree_control"), "+memory +pids");
    mkdirSync(join(BASE, parent, "session"));
    bench.defer(() => rmdirSync(join(BASE, parent, "session")));
    // What the kernel's documentation says is given away: the directory and these files of it.
    for (const name of [
      "",
      "cgroup.procs",
      "cgroup.subtree_control",
      "cgroup.threads",
      "session",
      "session/cgroup.procs",
    ])
      chownSync(join(BASE, parent, name), OWN, OWN);
    const limits = { memory: { limit: 64 * MIB }, pids: { limit: 19 } };
    const bundle = user.script("sleep 60", placed(`${parent}/box`, limits));
    const id = bench.id();
    const through = user.through(`echo $$ > ${BASE}${parent}/session/cgroup.procs`);
    expectOk(user.callWith({ through }, "create", "--bundle", bundle.path, id));
    bench.defer(() => void user.callWith({ through }, "delete", "--force", id));
    expectEqual([read(`${parent}/box`, "memory.max"), read(`${parent}/box`, "pids.max")], [String(64 * MIB), "19"]);
    expectOk(user.callWith({ through }, "start", id));
    expectOk(user.callWith({ through }, "delete", "--force", id));
    expectEqual(existsSync(join(BASE, parent, "box")), false, "the cgroup exists");
  }),
  unified("the cgroup mount is read-only unless asked otherwise", (bench) => {
    const outcome = bench.run(
      bench.script(
        "mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused; grep cgroup2 /proc/mounts",
        placed(freshPath()),
      ),
    );
    expectMatch(expectOk(outcome).out, /refused\ncgroup\S* \/sys\/fs\/cgroup cgroup2 ro,/);
  }),
];
