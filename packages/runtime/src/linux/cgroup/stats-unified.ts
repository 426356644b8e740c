// The counters of cgroup v2 (kernel Documentation/admin-guide/cgroup-v2), in the words of v1's, as runc gives them. See stats.ts.
// portable: no host types here.

import { type Exact, type StatFiles, omitEmpty, pressure } from "./stat-files.ts";
import { numbersOf } from "./stats-legacy.ts";

const MICROSECOND = 1000n;
/** What Go prints for "max". */
const UNLIMITED = 2n ** 64n - 1n;

/** All counters of one directory. */
export function unifiedStats(files: StatFiles): { readonly [name: string]: Exact | undefined } {
  return {
    cpu: cpu(files),
    cpuset: cpuset(files),
    memory: memory(files),
    pids: { current: omitEmpty(files.number("pids.current")), limit: omitEmpty(files.number("pids.max")) },
    blkio: { ...io(files.text("io.stat")), psi: pressure(files.text("io.pressure")) },
    hugetlb: hugetlb(files),
  };
}

function cpu(files: StatFiles): Exact {
  const stat = files.table("cpu.stat");
  return {
    usage: {
      total: omitEmpty((stat["usage_usec"] ?? 0n) * MICROSECOND),
      kernel: (stat["system_usec"] ?? 0n) * MICROSECOND,
      user: (stat["user_usec"] ?? 0n) * MICROSECOND,
    },
    throttling: {
      periods: omitEmpty(stat["nr_periods"] ?? 0n),
      throttledPeriods: omitEmpty(stat["nr_throttled"] ?? 0n),
      throttledTime: omitEmpty((stat["throttled_usec"] ?? 0n) * MICROSECOND),
    },
    psi: pressure(files.text("cpu.pressure")),
  };
}

/** v2 has none of the flags; runc prints them as zeros. */
function cpuset(files: StatFiles): Exact {
  return {
    cpus: omitEmpty(numbersOf(files.text("cpuset.cpus.effective"))),
    cpu_exclusive: 0,
    mems: omitEmpty(numbersOf(files.text("cpuset.mems.effective"))),
    mem_hardwall: 0,
    mem_exclusive: 0,
    memory_migrate: 0,
    memory_spread_page: 0,
    memory_spread_slab: 0,
    memory_pressure: 0,
    sched_load_balance: 0,
    sched_relax_domain_level: 0,
  };
}

function memory(files: StatFiles): Exact {
  const raw = files.table("memory.stat");
  const usage = files.number("memory.current");
  const limit = files.number("memory.max", UNLIMITED);
  const swap = files.number("memory.swap.max", UNLIMITED);
  return {
    cache: omitEmpty(raw["file"] ?? 0n),
    usage: {
      limit,
      usage: omitEmpty(usage),
      max: omitEmpty(files.number("memory.peak")),
      failcnt: files.table("memory.events")["max"] ?? 0n,
    },
    // v1's swap is memory and swap together.
    swap: {
      limit: swap === UNLIMITED || limit === UNLIMITED ? UNLIMITED : swap + limit,
      usage: omitEmpty(files.number("memory.swap.current") + usage),
      failcnt: files.table("memory.swap.events")["max"] ?? 0n,
    },
    kernel: { limit: 0, failcnt: 0 },
    kernelTCP: { limit: 0, failcnt: 0 },
    raw: Object.keys(raw).length === 0 ? undefined : raw,
    psi: pressure(files.text("memory.pressure")),
  };
}

/** Keys of io.stat: [member, operation]. */
const IO_KEYS: Readonly<Record<string, readonly [string, string]>> = {
  rbytes: ["ioServiceBytesRecursive", "Read"],
  wbytes: ["ioServiceBytesRecursive", "Write"],
  dbytes: ["ioServiceBytesRecursive", "Discard"],
  rios: ["ioServicedRecursive", "Read"],
  wios: ["ioServicedRecursive", "Write"],
  dios: ["ioServicedRecursive", "Discard"],
};

/** Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0". */
function io(text: string): Record<string, Exact> {
  const out: Record<string, Exact[]> = {};
  for (const line of text.split("\n")) {
    const [device = "", ...pairs] = line.split(" ");
    const [major = 0, minor = 0] = device.split(":").map(Number);
    for (const pair of pairs) {
      const [key = "", value = ""] = pair.split("=");
      const known = Object.hasOwn(IO_KEYS, key) ? IO_KEYS[key] : undefined;
      if (known === undefined || !/^\d+$/.test(value)) continue;
      const [member, op] = known;
      (out[member] ??= []).push({
        major: omitEmpty(major),
        minor: omitEmpty(minor),
        op,
        value: omitEmpty(BigInt(value)),
      });
    }
  }
  return out;
}

function hugetlb(files: StatFiles): Exact {
  return Object.fromEntries(
    files.pageSizes().map((size) => [
      size,
      {
        usage: omitEmpty(files.number(`hugetlb.${size}.current`)),
        failcnt: files.table(`hugetlb.${size}.events`)["max"] ?? 0n,
      },
    ]),
  );
}
