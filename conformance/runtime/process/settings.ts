// Settings that a program can see of itself: personality, clocks, names, scheduling; and that what means nothing is refused
// (runtime-spec, "POSIX process", "Linux").

import { existsSync, readFileSync } from "node:fs";
import type { Spec } from "@teu/specs/runtime";
import {
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";

const shows = (name: string, script: string, change: (spec: Spec) => Spec, pattern: RegExp): RuntimeCase => ({
  name,
  run: (bench) => expectMatch(expectOk(bench.run(bench.script(script, change))).out, pattern),
});
const refused = (name: string, change: (spec: Spec) => Spec): RuntimeCase => ({
  name: `${name}: error`,
  run: (bench) => void expectFailure(bench.run(bench.script("true", change))),
});
const timeOffsets = { monotonic: { secs: 1_000_000, nanosecs: 5 }, boottime: { secs: 2_000_000 } };
const withTime = (spec: Spec, path?: string): Spec =>
  withLinux(spec, {
    namespaces: [...(spec.linux?.namespaces ?? []), { type: "time", ...(path === undefined ? {} : { path }) }],
  });
const seccomp =
  (rule: object, more: object = {}) =>
  (spec: Spec): Spec =>
    withLinux(spec, {
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ALLOW", ...rule }],
        ...more,
      },
    });

export const cases: readonly RuntimeCase[] = [
  shows(
    "personality: LINUX32",
    "busybox uname -m",
    (spec) => withLinux(spec, { personality: { domain: "LINUX32" } }),
    /^i686$/,
  ),
  shows(
    "time: offsets of both clocks",
    "cat /proc/self/timens_offsets; cat /proc/uptime",
    (spec) => withTime(withLinux(spec, { timeOffsets })),
    /monotonic\s+1000000\s+5\nboottime\s+2000000\s+0\n[2-9]\d{6}/,
  ),
  refused("time: offsets with a joined namespace", (spec) =>
    withTime(withLinux(spec, { timeOffsets }), "/proc/self/ns/time"),
  ),
  refused("time: offsets without a namespace", (spec) => withLinux(spec, { timeOffsets })),
  refused("time: an offset of a clock that has none", (spec) =>
    withTime(withLinux(spec, { timeOffsets: { realtime: { secs: 1 } } })),
  ),
  shows("domainname", "cat /proc/sys/kernel/domainname", (spec) => ({ ...spec, domainname: "dom.ain" }), /^dom\.ain$/),
  shows(
    "scheduler: SCHED_BATCH with a nice value",
    "cut -d' ' -f19,41 /proc/self/stat",
    (spec) => withProcess(spec, { scheduler: { policy: "SCHED_BATCH", nice: 5 } }),
    /^5 3$/,
  ),
  refused("scheduler: an unknown flag", (spec) =>
    withProcess(spec, { scheduler: { policy: "SCHED_OTHER", flags: ["SCHED_FLAG_NOPE"] } as never }),
  ),
  shows(
    "ioPriority: class and level",
    "busybox ionice -p 1",
    (spec) => withProcess(spec, { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 3 } }),
    /^best-effort: prio 3$/,
  ),
  refused("ioPriority: a level that is none", (spec) =>
    withProcess(spec, { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 9 } }),
  ),
  refused("personality: flags, of which there are none", (spec) =>
    withLinux(spec, { personality: { domain: "LINUX", flags: ["X"] } }),
  ),
  refused("seccomp: an errno for an action that has no use for it", seccomp({ errnoRet: 5 })),
  refused("seccomp: metadata without a listener", seccomp({}, { listenerMetadata: "x" })),
  {
    name: "network: class and priorities are set where net_cls and net_prio are mounted",
    run: (bench) => {
      const [classes, priorities] = ["net_cls/net_cls.classid", "net_prio/net_prio.ifpriomap"];
      if (![classes, priorities].every((file) => existsSync(`/sys/fs/cgroup/${file}`)))
        throw new Skip("net_cls and net_prio are not mounted");
      const path = `/teu-conf-${process.pid}-net`;
      const network = { classID: 0x100001, priorities: [{ name: "lo", priority: 3 }] };
      bench.started(bench.script("sleep 30", (spec) => withLinux(spec, { cgroupsPath: path, resources: { network } })));
      const read = (file: string): string => readFileSync(`/sys/fs/cgroup/${file.replace("/", `${path}/`)}`, "utf8");
      expectEqual(read(classes).trim(), String(0x100001));
      expectMatch(read(priorities), /^lo 3$/m);
    },
  },
  {
    name: "hugepageLimits: pages in use and reserved ones",
    run: (bench) => {
      const file = "/sys/fs/cgroup/hugetlb/hugetlb.2MB.usage_in_bytes";
      if (!existsSync(file)) throw new Skip("hugetlb is not mounted on v1");
      const path = `/teu-conf-${process.pid}-huge`;
      const resources = { hugepageLimits: [{ pageSize: "2MB", limit: 4_194_304 }] };
      bench.started(bench.script("sleep 30", (spec) => withLinux(spec, { cgroupsPath: path, resources })));
      for (const name of ["limit_in_bytes", "rsvd.limit_in_bytes"])
        expectEqual(readFileSync(`/sys/fs/cgroup/hugetlb${path}/hugetlb.2MB.${name}`, "utf8").trim(), "4194304", name);
    },
  },
  {
    name: "update: checkBeforeUpdate refuses a memory limit below what is in use",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-check`;
      const id = bench.started(
        bench.script("dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; sleep 30", (spec) =>
          withLinux(spec, { cgroupsPath: path, resources: { memory: { limit: 67_108_864 } } }),
        ),
      );
      const usage = ["memory/", ""].map((part) => `/sys/fs/cgroup/${part}${path}`).find((one) => existsSync(one)) ?? "";
      const files = ["memory.usage_in_bytes", "memory.current"].map((name) => `${usage}/${name}`);
      const file = files.find((one) => existsSync(one)) ?? "";
      bench.until("memory is used", () => Number(readFileSync(file, "utf8")) > 8_388_608);
      const input = JSON.stringify({ memory: { limit: 4_194_304, checkBeforeUpdate: true } });
      expectFailure(bench.callWith({ input }, "update", "--resources", "-", id));
      expectEqual(bench.status(id), "running");
    },
  },
];
