import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts } from "./check.ts";
import { cgroupLayout, checkHost } from "./host-checks.ts";

const V1 =
  "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 23 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
const V2 = "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

const GOOD: HostFacts = {
  uid: 0,
  release: "6.1.0-13-amd64",
  arch: "x64",
  namespaces: ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"],
  status: "Seccomp:\t0\nCapEff:\t000001ffffffffff\n",
  mountinfo: V2,
  filesystems: "nodev\toverlay\n",
  cgroups: "",
  unifiedControllers: "cpu memory pids io\n",
  maxUserNamespaces: "1000\n",
  seccompActions: "errno user_notif allow\n",
  lsm: "capability,apparmor\n",
  modules: ["bridge", "veth", "nf_tables"],
  kernelConfig: "",
  programs: { "teu-runtime": "/b/teu-runtime", criu: "/c" },
  shim: "/b/teu-shim",
  disk: { free: 5e9, total: 9e9 },
  root: "/var/lib/teu",
};

test("checkHost: all well on a good host", () => {
  assert.deepEqual(
    checkHost(GOOD).filter(({ status }) => status !== "ok"),
    [],
  );
});

const CASES: readonly { name: string; change: Partial<HostFacts>; finding: string; status: string; found?: RegExp }[] =
  [
    { name: "no root", change: { uid: 1000 }, finding: "user", status: "fail" },
    { name: "old kernel", change: { release: "4.19.0" }, finding: "kernel", status: "fail" },
    { name: "oldish kernel", change: { release: "5.10.0" }, finding: "kernel", status: "warn" },
    { name: "namespaces missing", change: { namespaces: ["mnt", "pid"] }, finding: "namespaces", status: "fail" },
    { name: "user namespaces off", change: { maxUserNamespaces: "0" }, finding: "user namespaces", status: "warn" },
    { name: "no cgroups", change: { mountinfo: "" }, finding: "cgroups", status: "fail" },
    {
      name: "controllers missing",
      change: { unifiedControllers: "cpu" },
      finding: "cgroups",
      status: "warn",
      found: /^v2: cpu$/,
    },
    {
      name: "hybrid cgroups",
      change: { mountinfo: V1 + V2, unifiedControllers: "hugetlb" },
      finding: "cgroups",
      status: "ok",
      found: /^v1 \(hybrid with v2\): cpu hugetlb memory pids$/,
    },
    { name: "no overlay", change: { filesystems: "ext4\n" }, finding: "overlay", status: "fail" },
    {
      name: "overlay as a module",
      change: { filesystems: "", kernelConfig: "CONFIG_OVERLAY_FS=m\n" },
      finding: "overlay",
      status: "ok",
    },
    { name: "no seccomp", change: { status: "CapEff:\t000001ffffffffff\n" }, finding: "seccomp", status: "warn" },
    { name: "no LSM", change: { lsm: "capability" }, finding: "security modules", status: "warn" },
    {
      name: "without CAP_SYS_RESOURCE",
      change: { status: "Seccomp:\t0\nCapEff:\t000001fffeffffff\n" },
      finding: "capabilities",
      status: "warn",
    },
    {
      name: "without CAP_SYS_ADMIN",
      change: { status: "Seccomp:\t0\nCapEff:\t0000000000000000\n" },
      finding: "capabilities",
      status: "fail",
    },
    { name: "no runtime", change: { programs: {} }, finding: "runtime", status: "fail" },
    { name: "another runtime", change: { programs: { runc: "/r" } }, finding: "runtime", status: "warn" },
    { name: "no shim", change: { shim: null }, finding: "shim", status: "fail" },
    { name: "disk full", change: { disk: { free: 1e6, total: 9e9 } }, finding: "disk", status: "warn" },
  ];

for (const { name, change, finding, status, found } of CASES) {
  test(`checkHost: ${status} for ${finding} when ${name}`, () => {
    const got = checkHost({ ...GOOD, ...change }).find((one) => one.name === finding);
    assert.equal(got?.status, status);
    if (found !== undefined) assert.match(got?.found ?? "", found);
    if (status !== "ok") assert.ok((got?.consequence ?? "").length > 0);
  });
}

test("cgroupLayout: names the three layouts", () => {
  assert.equal(cgroupLayout({ mountinfo: V1, unifiedControllers: "" }).layout, "v1");
  assert.equal(cgroupLayout({ mountinfo: V2, unifiedControllers: "" }).layout, "v2");
  assert.equal(cgroupLayout({ mountinfo: V1 + V2, unifiedControllers: "" }).layout, "hybrid");
});
