// update: changes the limits of a container's cgroup.
// portable: no host types here.

import { concatBytes } from "@teu/base/bytes";
import { TeuError, isTeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { LinuxResources } from "@teu/specs/runtime";
import { parseResources } from "@teu/specs/runtime-parse";
import type { Command } from "../cli/command.ts";
import type { Flag, FlagValues } from "../cli/flags.ts";
import { readGivenFile } from "../cli/given-file.ts";
import { type ContainerRecord, StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { unsupportedConfig, verbatim } from "../failure.ts";
import { applyWrites } from "../linux/cgroup/manager.ts";
import { checkMemoryLimit } from "../linux/cgroup/memory-check.ts";
import { obsoleteLimits } from "../linux/cgroup/obsolete-limits.ts";
import { type CgroupRecord, cgroupDirectory } from "../linux/cgroup/record.ts";
import { type CgroupWrite, planLegacyResources } from "../linux/cgroup/resources-legacy.ts";
import { planUnifiedResources } from "../linux/cgroup/resources-unified.ts";
import { changeUnit } from "../linux/cgroup/systemd/driver.ts";
import { limitProperties } from "../linux/cgroup/systemd/unit.ts";
import { changeSchemata } from "../linux/resctrl.ts";
import { schemaLines } from "../linux/resctrl-plan.ts";

const LIMIT = 1 << 20;
const number = (name: string, doc: string, hidden = false): Flag => ({ name, kind: "number", doc, hidden });

const FLAGS: readonly Flag[] = [
  {
    name: "resources",
    aliases: ["r"],
    kind: "string",
    doc: "path to the file containing the resources to update or '-' to read from the standard input",
  },
  number("blkio-weight", "specifies per cgroup weight, range is from 10 to 1000"),
  number("cpu-period", "CPU CFS period to be used for hardcapping (in usecs)"),
  number("cpu-quota", "CPU CFS hardcap limit (in usecs)"),
  number("cpu-burst", "CPU CFS hardcap burst limit (in usecs)"),
  {
    name: "cpu-share",
    aliases: ["cpu-shares"],
    kind: "number",
    doc: "CPU shares (relative weight vs. other containers)",
  },
  number("cpu-rt-period", "CPU realtime period to be used for hardcapping (in usecs)"),
  number("cpu-rt-runtime", "CPU realtime hardcap limit (in usecs)"),
  number("cpu-idle", "set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE"),
  { name: "cpuset-cpus", kind: "string", doc: "CPU(s) to use" },
  { name: "cpuset-mems", kind: "string", doc: "memory node(s) to use" },
  number("memory", "memory limit (in bytes)"),
  number("memory-reservation", "memory reservation or soft_limit (in bytes)"),
  number("memory-swap", "total memory usage (memory + swap); set '-1' to enable unlimited swap"),
  number("pids-limit", "maximum number of pids allowed in the container"),
  { name: "l3-cache-schema", kind: "string", doc: "the string of Intel RDT/CAT L3 cache schema" },
  { name: "mem-bw-schema", kind: "string", doc: "the string of Intel RDT/MBA memory bandwidth schema" },
  number("kernel-memory", "obsolete", true),
  number("kernel-memory-tcp", "obsolete", true),
];

/** The command. */
export const update: Command = {
  name: "update",
  operands: "<container-id>",
  doc: "update container resource constraints",
  flags: FLAGS,
  minOperands: 1,
  maxOperands: 1,
  run: ({ kernel, root, log }, flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    if (statusOf(kernel, directory, record) === "stopped") throw verbatim("conflict", "container not running");
    applySchemata(kernel, record, flags);
    const given = flags.given("resources") ? readResources(kernel, flags.string("resources")) : fromFlags(flags);
    for (const name of ["kernel-memory", "kernel-memory-tcp"])
      if (flags.given(name)) log.warn(`Setting --${name} is ignored and will be removed`);
    const resources = withSwap(given);
    for (const warning of obsoleteLimits(resources.memory)) log.warn(warning);
    checkMemoryLimit(kernel, record.cgroup, resources.memory);
    const writes = record.cgroup.kind === "unified" ? planUnifiedResources(resources) : planLegacyResources(resources);
    writeLimits(kernel, record.cgroup, writes);
    const { unit, kind } = record.cgroup;
    if (unit !== undefined) changeUnit(kernel, unit, limitProperties(resources, kind === "unified"));
    return 0;
  },
};

function applySchemata(kernel: Kernel, { id, resctrl }: ContainerRecord, flags: FlagValues): void {
  const [cache, bandwidth] = [flags.string("l3-cache-schema"), flags.string("mem-bw-schema")];
  if (cache === "" && bandwidth === "") return;
  if (resctrl === undefined)
    throw new TeuError({
      code: "unsupported",
      op: "change Intel RDT of container",
      subject: id,
      message: "it is in no class of service of its own",
      hint: "A container gets one at create, when config.json has linux.intelRdt.",
    });
  const lines = schemaLines(
    cache,
    bandwidth,
    (message) => new TeuError({ code: "invalid", op: "use", subject: "--mem-bw-schema", message }),
  );
  changeSchemata(kernel, resctrl, lines);
}

/** No memory limit and nothing said of swap means no limit of both, as with runc: memory cannot be above memory plus swap. */
function withSwap(resources: LinuxResources): LinuxResources {
  const { memory } = resources;
  return memory?.limit === -1 && memory.swap === undefined
    ? { ...resources, memory: { ...memory, swap: -1 } }
    : resources;
}

function readResources(kernel: Kernel, path: string): LinuxResources {
  return parseResources(path === "-" ? readInput(kernel) : readGivenFile(kernel, path, LIMIT));
}

function readInput(kernel: Kernel): string {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = kernel.fs.read(0, LIMIT); part.length > 0; part = kernel.fs.read(0, LIMIT)) {
    parts.push(part);
    size += part.length;
    if (size > LIMIT) throw verbatim("invalid", "resources on standard input are too long");
  }
  return kernel.host.utf8Decode(concatBytes(parts));
}

function fromFlags(flags: FlagValues): LinuxResources {
  const value = (name: string, key: string): Record<string, number> =>
    flags.given(name) ? { [key]: flags.number(name) } : {};
  const text = (name: string, key: string): Record<string, string> =>
    flags.given(name) ? { [key]: flags.string(name) } : {};
  return {
    memory: {
      ...value("memory", "limit"),
      ...value("memory-reservation", "reservation"),
      ...value("memory-swap", "swap"),
    },
    cpu: {
      ...value("cpu-period", "period"),
      ...value("cpu-quota", "quota"),
      ...value("cpu-burst", "burst"),
      ...value("cpu-share", "shares"),
      ...value("cpu-rt-period", "realtimePeriod"),
      ...value("cpu-rt-runtime", "realtimeRuntime"),
      ...value("cpu-idle", "idle"),
      ...text("cpuset-cpus", "cpus"),
      ...text("cpuset-mems", "mems"),
    },
    pids: value("pids-limit", "limit"),
    blockIO: value("blkio-weight", "weight"),
  };
}

/** Writes them all. One that the kernel refuses may only have to wait for another (quota and burst, period and quota): it is tried last. */
function writeLimits(kernel: Kernel, record: CgroupRecord, writes: readonly CgroupWrite[]): void {
  const refused: { readonly write: CgroupWrite; readonly error: unknown }[] = [];
  for (const write of inPossibleOrder(kernel, record, writes)) {
    try {
      writeLimit(kernel, record, write);
    } catch (error) {
      if (!isTeuError(error, "invalid")) throw error;
      refused.push({ write, error });
    }
  }
  for (const { write, error } of refused.reverse()) {
    try {
      writeLimit(kernel, record, write);
    } catch {
      throw error;
    }
  }
}

function writeLimit(kernel: Kernel, record: CgroupRecord, write: CgroupWrite): void {
  const path = cgroupDirectory(record, write.controller);
  // A kernel without swap accounting has nothing to lift.
  if (write.file === "memory.memsw.limit_in_bytes" && write.value === "-1" && path !== null) {
    if (!kernel.fs.accessAt(AT_FDCWD, `${path}/${write.file}`, 0)) return;
  }
  if (path === null)
    throw unsupportedConfig(
      "resources",
      `${write.file} cannot be set: the container has no ${write.controller} cgroup`,
    );
  applyWrites(kernel, { path, writes: [write] });
}

/** v1: memory must stay at or below memory plus swap all the time, so a raise begins with the latter. */
function inPossibleOrder(kernel: Kernel, record: CgroupRecord, writes: readonly CgroupWrite[]): readonly CgroupWrite[] {
  const memory = writes.find((write) => write.file === "memory.limit_in_bytes");
  const swap = writes.find((write) => write.file === "memory.memsw.limit_in_bytes");
  const path = cgroupDirectory(record, "memory");
  if (memory === undefined || swap === undefined || path === null) return writes;
  const current = Number(kernel.fs.readTextAt(AT_FDCWD, `${path}/memory.limit_in_bytes`, LIMIT).trim());
  const raises = swap.value === "-1" || (memory.value !== "-1" && Number(memory.value) > current);
  const rest = writes.filter((write) => write !== memory && write !== swap);
  return raises ? [swap, memory, ...rest] : [memory, swap, ...rest];
}
