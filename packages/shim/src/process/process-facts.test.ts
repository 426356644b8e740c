// /proc texts: pid namespaces, cgroup paths and mounts, OOM counters, on every cgroup layout.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupPoints } from "../lifecycle/leftover-cgroups.ts";
import { oomKills } from "../lifecycle/oom-counter.ts";
import { cgroupMount, cgroupPath, isNamespaceInit } from "./process-facts.ts";
import { timestamp } from "./timestamp.ts";

test("isNamespaceInit: true only for pid 1 of a namespace below ours", () => {
  assert.equal(isNamespaceInit("Name:\tsh\nNSpid:\t4242\t1\nX:\t1\n"), true);
  assert.equal(isNamespaceInit("NSpid:\t4242\n"), false);
  assert.equal(isNamespaceInit("NSpid:\t4242\t17\n"), false);
  assert.equal(isNamespaceInit("NSpid:\t1\n"), false);
  assert.equal(isNamespaceInit("no such line"), false);
});

const cgroup = "12:memory:/teu/a:b\n5:cpu,cpuacct:/teu/cpu\n0::/unified/x\n";

test("cgroupPath: by controller, v2 by the empty name, colons in paths kept", () => {
  assert.equal(cgroupPath(cgroup, "memory"), "/teu/a:b");
  assert.equal(cgroupPath(cgroup, "cpuacct"), "/teu/cpu");
  assert.equal(cgroupPath(cgroup, ""), "/unified/x");
  assert.equal(cgroupPath(cgroup, "pids"), undefined);
});

const mountinfo = `30 25 0:26 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
31 25 0:27 /docker/1 /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory
32 25 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct`;

test("cgroupMount: mount point and root by controller", () => {
  assert.deepEqual(cgroupMount(mountinfo, "memory"), { point: "/sys/fs/cgroup/memory", root: "/docker/1" });
  assert.deepEqual(cgroupMount(mountinfo, ""), { point: "/sys/fs/cgroup/unified", root: "/" });
  assert.equal(cgroupMount(mountinfo, "blkio"), undefined);
});

test("cgroupPoints: every hierarchy", () => {
  assert.deepEqual(cgroupPoints(mountinfo), ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu"]);
});

test("oomKills: the counter of either version", () => {
  assert.equal(oomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
  assert.equal(oomKills("low 0\nhigh 0\nmax 9\noom 9\noom_kill 1\noom_group_kill 0\n"), 1);
  assert.equal(oomKills("oom_kill_disable 0\nunder_oom 0\n"), 0);
});

test("timestamp: nanoseconds kept", () => {
  assert.equal(timestamp(1_767_225_600_000_000_007n), "2026-01-01T00:00:00.000000007Z");
  assert.equal(timestamp(1_767_225_600_999_999_999n), "2026-01-01T00:00:00.999999999Z");
});
