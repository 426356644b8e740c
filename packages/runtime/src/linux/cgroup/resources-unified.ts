// Limits of config.json as writes to cgroup v2 files (runtime-spec, "Control groups"; kernel Documentation/admin-guide/cgroup-v2).
// portable: no host types here.

import type { BlockIoResources, LinuxResources, MemoryResources } from "@teu/specs/runtime";
import { invalidConfig } from "../../failure.ts";
import { type CgroupWrite, limitText, rdmaText } from "./resources-legacy.ts";

/** All writes but the device program; `unified` entries come last and verbatim. */
export function planUnifiedResources(resources: LinuxResources): CgroupWrite[] {
  const out: CgroupWrite[] = [];
  const add = (file: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== "") out.push({ controller: "", file, value: String(value) });
  };
  memory(resources.memory ?? {}, add);
  const cpu = resources.cpu ?? {};
  if (cpu.shares !== undefined && cpu.shares !== 0) add("cpu.weight", cpuWeight(cpu.shares));
  if ((cpu.quota !== undefined && cpu.quota !== 0) || (cpu.period !== undefined && cpu.period !== 0)) {
    const period = cpu.period ?? 0;
    add(
      "cpu.max",
      `${cpu.quota !== undefined && cpu.quota > 0 ? cpu.quota : "max"}${period === 0 ? "" : ` ${period}`}`,
    );
  }
  add("cpu.max.burst", cpu.burst);
  add("cpu.idle", cpu.idle);
  add("cpuset.cpus", cpu.cpus);
  add("cpuset.mems", cpu.mems);
  if (resources.pids?.limit !== undefined) add("pids.max", limitText(resources.pids.limit, "max"));
  io(resources.blockIO ?? {}, add);
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) {
    add(`hugetlb.${pageSize}.max`, limitText(limit, "max"));
    add(`hugetlb.${pageSize}.rsvd.max`, limitText(limit, "max"));
  }
  for (const [device, limit] of Object.entries(resources.rdma ?? {})) add("rdma.max", rdmaText(device, limit));
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    if (file.includes("/") || file === "" || file.startsWith("."))
      throw invalidConfig("linux.resources.unified", `${JSON.stringify(file)} is not a file name`);
    add(file, value);
  }
  return out;
}

/**
 * cpu.shares (2..262144) as cpu.weight (1..10000): 1 at the least, 100 at the default 1024, 10000 at the most,
 * on a quadratic in the logarithm, as runc and crun now do.
 */
export function cpuWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** blkio weight (10..1000) as io.weight (1..10000). */
export function ioWeight(weight: number): number {
  return 1 + Math.trunc(((weight - 10) * 9999) / 990);
}

function memory(memory: MemoryResources, add: (file: string, value: string) => void): void {
  const { limit, swap, reservation } = memory;
  if (swap !== undefined && swap !== 0) {
    if (swap > 0 && (limit === undefined || limit <= 0))
      throw invalidConfig("linux.resources.memory.swap", "needs memory.limit: it is memory plus swap");
    if (swap > 0 && limit !== undefined && swap < limit)
      throw invalidConfig("linux.resources.memory.swap", "is less than memory.limit");
    add("memory.swap.max", swap < 0 ? "max" : limitText(swap - (limit ?? 0), "max"));
  }
  if (limit !== undefined && limit !== 0) add("memory.max", limitText(limit, "max"));
  if (reservation !== undefined && reservation !== 0) add("memory.low", limitText(reservation, "max"));
}

function io(io: BlockIoResources, add: (file: string, value: string) => void): void {
  if (io.weight !== undefined && io.weight !== 0) add("io.weight", `default ${ioWeight(io.weight)}`);
  for (const { major, minor, weight } of io.weightDevice ?? [])
    if (weight !== undefined) add("io.weight", `${major}:${minor} ${ioWeight(weight)}`);
  const throttle = (key: string, list: BlockIoResources["throttleReadBpsDevice"]): void => {
    for (const { major, minor, rate } of list ?? [])
      add("io.max", `${major}:${minor} ${key}=${limitText(rate, "max")}`);
  };
  throttle("rbps", io.throttleReadBpsDevice);
  throttle("wbps", io.throttleWriteBpsDevice);
  throttle("riops", io.throttleReadIOPSDevice);
  throttle("wiops", io.throttleWriteIOPSDevice);
}
