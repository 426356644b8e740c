// Limits of config.json as writes to cgroup v1 files (runtime-spec, "Control groups"; kernel Documentation/admin-guide/cgroup-v1).
// portable: no host types here.

import type { BlockIoResources, CpuResources, LinuxResources, MemoryResources } from "@teu/specs/runtime";

/** One write of a limit. */
export interface CgroupWrite {
  /** v1: the controller whose hierarchy has the file. v2: "". */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** What is written instead where the kernel has no such file; null: nothing. */
  readonly orElse?: { readonly file: string; readonly value: string } | null;
}

/** A limit's number as the kernel reads it; -1 and whatever does not fit into 63 bits mean no limit. */
export function limitText(value: number, unlimited: string): string {
  if (value < 0 || value >= 2 ** 63) return unlimited;
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** All writes but those of devices, in an order that a fresh cgroup accepts. */
export function planLegacyResources(resources: LinuxResources): CgroupWrite[] {
  const out = [...memory(resources.memory ?? {}), ...cpu(resources.cpu ?? {}), ...blkio(resources.blockIO ?? {})];
  const add = (controller: string, file: string, value: string): void => void out.push({ controller, file, value });
  if (resources.pids?.limit !== undefined) add("pids", "pids.max", limitText(resources.pids.limit, "max"));
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) {
    const value = limitText(limit, "-1");
    add("hugetlb", `hugetlb.${pageSize}.limit_in_bytes`, value);
    // Pages that are reserved but not used yet count only here (Linux 5.7); before, the other limit kills with SIGBUS.
    out.push({ controller: "hugetlb", file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`, value, orElse: null });
  }
  if (resources.network?.classID !== undefined) add("net_cls", "net_cls.classid", String(resources.network.classID));
  for (const { name, priority } of resources.network?.priorities ?? [])
    add("net_prio", "net_prio.ifpriomap", `${name} ${priority}`);
  for (const [device, limit] of Object.entries(resources.rdma ?? {})) add("rdma", "rdma.max", rdmaText(device, limit));
  return out;
}

/** A line of rdma.max; the same in v1 and v2. */
export function rdmaText(
  device: string,
  limit: { readonly hcaHandles?: number; readonly hcaObjects?: number },
): string {
  const handles = limit.hcaHandles === undefined ? "" : ` hca_handle=${limit.hcaHandles}`;
  const objects = limit.hcaObjects === undefined ? "" : ` hca_object=${limit.hcaObjects}`;
  return `${device}${handles}${objects}`;
}

/** Without kernel, kernelTCP and useHierarchy: see obsolete-limits.ts. */
function memory(memory: MemoryResources): CgroupWrite[] {
  const out: CgroupWrite[] = [];
  const add = (file: string, value: string): void => void out.push({ controller: "memory", file, value });
  if (memory.limit !== undefined) add("memory.limit_in_bytes", limitText(memory.limit, "-1"));
  // Memory plus swap can only be set at or above memory, hence after it.
  if (memory.swap !== undefined && memory.swap !== 0) add("memory.memsw.limit_in_bytes", limitText(memory.swap, "-1"));
  if (memory.reservation !== undefined) add("memory.soft_limit_in_bytes", limitText(memory.reservation, "-1"));
  if (memory.swappiness !== undefined) add("memory.swappiness", String(memory.swappiness));
  if (memory.disableOOMKiller === true) add("memory.oom_control", "1");
  return out;
}

function cpu(cpu: CpuResources): CgroupWrite[] {
  const out: CgroupWrite[] = [];
  const add = (controller: string, file: string, value: number | string | undefined): void => {
    if (value !== undefined && value !== "") out.push({ controller, file, value: String(value) });
  };
  if (cpu.shares !== 0) add("cpu", "cpu.shares", cpu.shares);
  if (cpu.period !== 0) add("cpu", "cpu.cfs_period_us", cpu.period);
  if (cpu.quota !== undefined && cpu.quota !== 0) add("cpu", "cpu.cfs_quota_us", limitText(cpu.quota, "-1"));
  add("cpu", "cpu.cfs_burst_us", cpu.burst);
  if (cpu.realtimePeriod !== 0) add("cpu", "cpu.rt_period_us", cpu.realtimePeriod);
  if (cpu.realtimeRuntime !== 0) add("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime);
  add("cpu", "cpu.idle", cpu.idle);
  add("cpuset", "cpuset.cpus", cpu.cpus);
  add("cpuset", "cpuset.mems", cpu.mems);
  return out;
}

function blkio(io: BlockIoResources): CgroupWrite[] {
  const out: CgroupWrite[] = [];
  const add = (file: string, value: string): void => void out.push({ controller: "blkio", file, value });
  // The files of the CFQ scheduler went in Linux 5.0; those of BFQ mean the same.
  const weigh = (name: string, value: string): void =>
    void out.push({ controller: "blkio", file: `blkio.${name}`, value, orElse: { file: `blkio.bfq.${name}`, value } });
  if (io.weight !== undefined && io.weight !== 0) weigh("weight", String(io.weight));
  if (io.leafWeight !== undefined && io.leafWeight !== 0) add("blkio.leaf_weight", String(io.leafWeight));
  for (const { major, minor, weight, leafWeight } of io.weightDevice ?? []) {
    if (weight !== undefined) weigh("weight_device", `${major}:${minor} ${weight}`);
    if (leafWeight !== undefined) add("blkio.leaf_weight_device", `${major}:${minor} ${leafWeight}`);
  }
  const throttle = (file: string, list: BlockIoResources["throttleReadBpsDevice"]): void => {
    for (const { major, minor, rate } of list ?? [])
      add(`blkio.throttle.${file}`, `${major}:${minor} ${limitText(rate, "0")}`);
  };
  throttle("read_bps_device", io.throttleReadBpsDevice);
  throttle("write_bps_device", io.throttleWriteBpsDevice);
  throttle("read_iops_device", io.throttleReadIOPSDevice);
  throttle("write_iops_device", io.throttleWriteIOPSDevice);
  return out;
}
