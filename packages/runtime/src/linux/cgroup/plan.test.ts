import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceProgram } from "./device-program.ts";
import { type AccessRule, deviceRuleLine, deviceRules } from "./device-rules.ts";
import { type CgroupLayout, parseCgroupMounts, parseOwnCgroups } from "./layout.ts";
import { planCgroup } from "./plan.ts";
import { cpuWeight, ioWeight, planUnifiedResources } from "./resources-unified.ts";

const V1: CgroupLayout = {
  kind: "legacy",
  hierarchies: [
    { controllers: "memory", mount: "/sys/fs/cgroup/memory", own: "/a/b" },
    { controllers: "cpu,cpuacct", mount: "/sys/fs/cgroup/cpu,cpuacct", own: "/" },
  ],
};
const V2: CgroupLayout = {
  kind: "unified",
  hierarchies: [{ controllers: "", mount: "/sys/fs/cgroup", own: "/user/session" }],
};

const PATHS: readonly (readonly [string, CgroupLayout, string, readonly string[]])[] = [
  ["default on v1: below where we are", V1, "", ["/sys/fs/cgroup/memory/a/b/id", "/sys/fs/cgroup/cpu,cpuacct/id"]],
  ["relative on v1", V1, "x/y", ["/sys/fs/cgroup/memory/a/b/x/y", "/sys/fs/cgroup/cpu,cpuacct/x/y"]],
  ["absolute on v1: from the mount's root", V1, "/x", ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/cpu,cpuacct/x"]],
  ["dots do not lead out", V1, "/../../x", ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/cpu,cpuacct/x"]],
  ["default on v2: beside us", V2, "", ["/sys/fs/cgroup/user/id"]],
  ["absolute on v2", V2, "/x", ["/sys/fs/cgroup/x"]],
];
for (const [name, layout, path, want] of PATHS) {
  test(`planCgroup: ${name}`, () =>
    assert.deepEqual(
      planCgroup(layout, path, "id", {}).directories.map((one) => one.path),
      want,
    ));
}

test("planCgroup: writes go to the hierarchy that has the controller", () => {
  const { directories } = planCgroup(V1, "", "id", { memory: { limit: 4096, swap: 8192 }, cpu: { shares: 2 } });
  assert.deepEqual(
    directories.map(({ writes }) => writes.map(({ file }) => file)),
    [["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], ["cpu.shares"]],
  );
});

test("planCgroup: unsupported when a limit's controller is not mounted", () => {
  assert.throws(() => planCgroup(V1, "", "id", { pids: { limit: 3 } }), { code: "unsupported" });
});

test("planUnifiedResources: v1's numbers in v2's terms", () => {
  const files = Object.fromEntries(
    planUnifiedResources({
      memory: { limit: 100, swap: 150, reservation: -1 },
      cpu: { shares: 1024, quota: -1, period: 50_000 },
      pids: { limit: 0 },
      unified: { "memory.high": "1" },
    }).map(({ file, value }) => [file, value]),
  );
  assert.deepEqual(files, {
    "memory.swap.max": "50",
    "memory.max": "100",
    "memory.low": "max",
    "cpu.weight": "100",
    "cpu.max": "max 50000",
    "pids.max": "0",
    "memory.high": "1",
  });
  assert.throws(() => planUnifiedResources({ unified: { "../x": "1" } }), { code: "invalid" });
  assert.throws(() => planUnifiedResources({ memory: { limit: 10, swap: 5 } }), { code: "invalid" });
});

test("cpuWeight, ioWeight: ends and middle of the range", () => {
  assert.deepEqual([2, 1024, 262_144].map(cpuWeight), [1, 100, 10_000]);
  assert.deepEqual([10, 1000].map(ioWeight), [1, 10_000]);
});

test("deviceRules: denied first, defaults last; a last allow-all stands alone", () => {
  const [first] = deviceRules([]);
  assert.deepEqual(deviceRuleLine(first as AccessRule), { controller: "devices", file: "devices.deny", value: "a" });
  assert.deepEqual(deviceRules([{ allow: true }]).map(deviceRuleLine), [
    { controller: "devices", file: "devices.allow", value: "a" },
  ]);
  assert.throws(() => deviceRules([{ allow: true, access: "rx" }]), { code: "invalid" });
});

/** Runs a device program as the kernel would, on one access. */
function allows(program: Uint8Array, type: number, access: number, major: number, minor: number): boolean {
  const view = new DataView(program.buffer);
  const registers = Array.from({ length: 11 }, () => 0);
  const context = [(access << 16) | type, major, minor];
  for (let at = 0; ; at++) {
    const [code, operands, offset, value] = [
      view.getUint8(at * 8),
      view.getUint8(at * 8 + 1),
      view.getInt16(at * 8 + 2, true),
      view.getInt32(at * 8 + 4, true),
    ];
    const [to, from] = [operands & 15, operands >> 4];
    if (code === 0x61) registers[to] = context[offset / 4] ?? 0;
    else if (code === 0xb4) registers[to] = value;
    else if (code === 0xbc) registers[to] = registers[from] ?? 0;
    else if (code === 0x54) registers[to] = (registers[to] ?? 0) & value;
    else if (code === 0x74) registers[to] = (registers[to] ?? 0) >>> value;
    else if (code === 0x56) at += registers[to] === value ? 0 : offset;
    else if (code === 0x5e) at += registers[to] === registers[from] ? 0 : offset;
    else if (code === 0x95) return registers[0] === 1;
    else throw new Error(`unknown instruction ${code}`);
  }
}

test("deviceProgram: decides as the list says, the last match first", () => {
  const program = deviceProgram(
    deviceRules([
      { allow: false },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
      { allow: false, type: "c", major: 1, minor: 5, access: "w" },
    ]),
  );
  const [BLOCK, CHAR, MKNOD, READ, WRITE] = [1, 2, 1, 2, 4];
  assert.equal(allows(program, CHAR, READ | WRITE, 1, 3), true, "null");
  assert.equal(allows(program, BLOCK, READ, 8, 0), false, "a disk");
  assert.equal(allows(program, BLOCK, MKNOD, 8, 0), true, "mknod of a disk");
  assert.equal(allows(program, CHAR, READ | WRITE, 10, 229), true, "fuse");
  assert.equal(allows(program, CHAR, READ | MKNOD, 10, 229), false, "no single rule has read and mknod");
  assert.equal(allows(program, CHAR, READ, 136, 77), true, "a pty");
  assert.equal(allows(deviceProgram(deviceRules([{ allow: true }])), BLOCK, READ | WRITE, 8, 0), true, "privileged");
});

test("parseOwnCgroups, parseCgroupMounts: v1, v2, co-mounted and escaped", () => {
  assert.deepEqual(parseOwnCgroups("4:memory:/a:b\n0::/\n"), [
    ["memory", "/a:b"],
    ["", "/"],
  ]);
  const [mount] = parseCgroupMounts(
    "34 31 0:31 /docker /sys/fs/cgroup/cpu,cpu\\040acct rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:3 / /x rw - tmpfs tmpfs rw",
  );
  assert.deepEqual([mount?.root, mount?.point, mount?.version], ["/docker", "/sys/fs/cgroup/cpu,cpu acct", 1]);
});

// A container in the root would limit every process of the host, and its end would kill them.
for (const path of ["/", "/..", "/a/../..", ".", "..", "a/.."]) {
  test(`planCgroup: invalid when cgroupsPath is the root of the hierarchy (${JSON.stringify(path)})`, () => {
    assert.throws(() => planCgroup(V1, path, "id", {}), { code: "invalid" });
    assert.throws(() => planCgroup(V2, path, "id", {}), { code: "invalid" });
  });
}

test("planCgroup: unsupported when unified files are asked for on v1, instead of passing them over", () => {
  assert.throws(() => planCgroup(V1, "", "id", { unified: { "memory.high": "1" } }), { code: "unsupported" });
  assert.doesNotThrow(() => planCgroup(V1, "", "id", { unified: {} }));
});
