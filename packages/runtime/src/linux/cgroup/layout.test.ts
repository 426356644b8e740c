import assert from "node:assert/strict";
import { test } from "node:test";
import { CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC } from "@teu/sys/constants/fs";
import { createFakeKernel } from "@teu/sys/fake/fake-kernel";
import type { Kernel } from "@teu/sys/kernel";
import { type CgroupLayout, detectCgroups } from "./layout.ts";

type Resources = Parameters<typeof detectCgroups>[1];

interface Found {
  readonly controllers: readonly string[];
  readonly searched: boolean;
}

/** What is found on a hybrid host whose process is in the v1 hierarchies `named`, of which `mounted` (and v2) are at the usual place. */
function detect(named: readonly string[], mounted: readonly string[], mountinfo: string, resources?: Resources): Found {
  let searched = false;
  const fake = createFakeKernel().kernel;
  const kernel: Kernel = {
    ...fake,
    fs: {
      ...fake.fs,
      readTextAt: (_dirfd, path) => {
        if (path === "/proc/self/cgroup") return [...named.map((name) => `3:${name}:/`), "0::/", ""].join("\n");
        assert.equal(path, "/proc/self/mountinfo");
        searched = true;
        return mountinfo;
      },
      filesystemType: (path) => {
        if (path === "/sys/fs/cgroup/unified") return CGROUP2_SUPER_MAGIC;
        const there = [...mounted.map((name) => `/sys/fs/cgroup/${name}`), "/odd/place"];
        return there.includes(path) ? CGROUP_SUPER_MAGIC : 0;
      },
    },
  };
  const { hierarchies }: CgroupLayout = detectCgroups(kernel, resources);
  return { controllers: hierarchies.map(({ controllers }) => controllers), searched };
}

const line = (controllers: string): string => `40 30 0:35 / /odd/place rw - cgroup cgroup rw,${controllers}\n`;
const UNIFIED = "41 30 0:36 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

test("detectCgroups: all at the usual place: the host's mounts are not read", () => {
  assert.deepEqual(detect(["pids", "net_cls"], ["pids", "net_cls"], ""), {
    controllers: ["pids", "net_cls", ""],
    searched: false,
  });
});

test("detectCgroups: nor for a hierarchy that is not mounted and has no limit to set", () => {
  assert.deepEqual(detect(["pids", "net_cls", "net_prio", "hugetlb"], ["pids"], ""), {
    controllers: ["pids", ""],
    searched: false,
  });
});

test("detectCgroups: a limit of its own makes it wanted, wherever it is", () => {
  assert.deepEqual(detect(["net_cls"], [], line("net_cls") + UNIFIED, { network: { classID: 7 } }), {
    controllers: ["net_cls", ""],
    searched: true,
  });
  for (const resources of [
    { hugepageLimits: [{ pageSize: "2MB", limit: 0 }] },
    { network: { priorities: [{ name: "lo", priority: 1 }] } },
  ])
    assert.ok(detect(["hugetlb", "net_prio"], [], UNIFIED, resources).searched);
});

test("detectCgroups: a hierarchy that matters to every container is searched for", () => {
  assert.deepEqual(detect(["freezer", "pids"], ["pids"], line("freezer") + UNIFIED), {
    controllers: ["freezer", ""],
    searched: true,
  });
  // Together with one that matters.
  assert.ok(detect(["cpu,net_cls"], [], UNIFIED).searched);
});
