// The counters of cgroup v1 (kernel Documentation/admin-guide/cgroup-v1). See stats.ts.
// portable: no host types here.

import { type Exact, type StatFiles, omitEmpty } from "./stat-files.ts";

/** cpuacct.stat counts in clock ticks, of which every Linux has 100 a second. */
const TICK_NS = 10_000_000n;

/** All counters; `of` gives the files of a controller. */
export function legacyStats(of: (controller: string) => StatFiles): { readonly [name: string]: Exact | undefined } {
  return {
    cpu: { usage: cpuUsage(of("cpuacct")), throttling: throttling(of("cpu").table("cpu.stat")) },
    cpuset: cpuset(of("cpuset")),
    memory: memory(of("memory")),
    pids: {
      current: omitEmpty(of("pids").number("pids.current")),
      limit: omitEmpty(of("pids").number("pids.max")),
    },
    blkio: blkio(of("blkio")),
    hugetlb: hugetlb(of("hugetlb")),
  };
}

function cpuUsage(files: StatFiles): Exact {
  const stat = files.table("cpuacct.stat");
  const all = files
    .text("cpuacct.usage_all")
    .split("\n")
    .slice(1)
    .map((line) => line.split(" "));
  const column = (index: number): bigint[] => all.flatMap((cells) => BigInt(cells[index] ?? 0));
  const percpu = files.text("cpuacct.usage_percpu");
  return {
    total: omitEmpty(files.number("cpuacct.usage")),
    percpu: omitEmpty(percpu === "" ? [] : percpu.split(" ").map(BigInt)),
    percpu_kernel: omitEmpty(column(2)),
    percpu_user: omitEmpty(column(1)),
    kernel: (stat["system"] ?? 0n) * TICK_NS,
    user: (stat["user"] ?? 0n) * TICK_NS,
  };
}

function throttling(stat: Readonly<Record<string, bigint>>): Exact {
  return {
    periods: omitEmpty(stat["nr_periods"] ?? 0n),
    throttledPeriods: omitEmpty(stat["nr_throttled"] ?? 0n),
    throttledTime: omitEmpty(stat["throttled_time"] ?? 0n),
  };
}

function cpuset(files: StatFiles): Exact {
  const flags = [
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
  ];
  return {
    cpus: omitEmpty(numbersOf(files.text("cpuset.cpus"))),
    mems: omitEmpty(numbersOf(files.text("cpuset.mems"))),
    ...Object.fromEntries(flags.map((name) => [name, files.number(`cpuset.${name}`)])),
  };
}

/** "0-2,5" as numbers. */
export function numbersOf(list: string): number[] {
  return list
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

function memory(files: StatFiles): Exact {
  const raw = files.table("memory.stat");
  const entry = (prefix: string): Exact => ({
    limit: files.number(`${prefix}.limit_in_bytes`),
    usage: omitEmpty(files.number(`${prefix}.usage_in_bytes`)),
    max: omitEmpty(files.number(`${prefix}.max_usage_in_bytes`)),
    failcnt: files.number(`${prefix}.failcnt`),
  });
  return {
    cache: omitEmpty(raw["cache"] ?? 0n),
    usage: entry("memory"),
    swap: entry("memory.memsw"),
    kernel: entry("memory.kmem"),
    kernelTCP: entry("memory.kmem.tcp"),
    raw: Object.keys(raw).length === 0 ? undefined : raw,
  };
}

const BLKIO: Readonly<Record<string, string>> = {
  io_service_bytes_recursive: "ioServiceBytesRecursive",
  io_serviced_recursive: "ioServicedRecursive",
  io_queued_recursive: "ioQueueRecursive",
  io_service_time_recursive: "ioServiceTimeRecursive",
  io_wait_time_recursive: "ioWaitTimeRecursive",
  io_merged_recursive: "ioMergedRecursive",
  time_recursive: "ioTimeRecursive",
  sectors_recursive: "sectorsRecursive",
};

/** BFQ's counters where that scheduler is used, else the throttle's, which are always there but fewer. */
function blkio(files: StatFiles): Exact {
  const scheduled = entries(files.text("blkio.bfq.io_serviced_recursive")).length > 0;
  const prefix = scheduled ? "blkio.bfq" : "blkio.throttle";
  return Object.fromEntries(
    Object.entries(BLKIO).map(([file, name]) => [name, omitEmpty(entries(files.text(`${prefix}.${file}`)))]),
  );
}

/** Lines "8:0 Read 4096" (or "8:0 4096"); the sums of lines "Total" are left out. */
function entries(text: string): Exact[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (?:([A-Za-z]+) )?(\d+)$/.exec(line);
    if (match === null) return [];
    const [, major = "0", minor = "0", op = "", value = "0"] = match;
    return [
      {
        major: omitEmpty(Number(major)),
        minor: omitEmpty(Number(minor)),
        op: omitEmpty(op),
        value: omitEmpty(BigInt(value)),
      },
    ];
  });
}

function hugetlb(files: StatFiles): Exact {
  return Object.fromEntries(
    files.pageSizes().map((size) => [
      size,
      {
        usage: omitEmpty(files.number(`hugetlb.${size}.usage_in_bytes`)),
        max: omitEmpty(files.number(`hugetlb.${size}.max_usage_in_bytes`)),
        failcnt: files.number(`hugetlb.${size}.failcnt`),
      },
    ]),
  );
}
