// Limits, checked against sense and host. Defaults are bent silently; a wish that cannot be had is refused or warned of, as Docker does.

import { TeuError } from "@teu/base/errors";

import type { ResourceOptions, UlimitOption } from "../create-options.ts";
import type { HostFacts } from "../spec/host-facts.ts";

/** Below this not even a runtime's own start fits. */
const LEAST_MEMORY = 6 << 20;

const ULIMITS: readonly string[] = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** Checks limits; returns warnings. @throws TeuError `invalid`, `unsupported`. */
export function checkResources(wishes: ResourceOptions, facts: HostFacts): string[] {
  const { memory, memorySwap, memoryReservation, cpus, cpuPeriod, cpuQuota, cpuShares } = wishes;
  if (memory !== undefined && memory < LEAST_MEMORY)
    throw refuse("memory", memory, `want at least ${LEAST_MEMORY} bytes`);
  if (memorySwap !== undefined && memorySwap > 0 && memory === undefined)
    throw refuse("memory-swap", memorySwap, "set memory too");
  if (memorySwap !== undefined && memorySwap > 0 && memory !== undefined && memorySwap < memory)
    throw refuse("memory-swap", memorySwap, "it counts memory and swap, so it cannot be below memory");
  if (memoryReservation !== undefined && memory !== undefined && memoryReservation > memory)
    throw refuse("memory-reservation", memoryReservation, "it cannot be above memory");
  if (cpus !== undefined && (cpuPeriod !== undefined || cpuQuota !== undefined))
    throw refuse("cpus", cpus, "it cannot be given together with cpu-period or cpu-quota");
  if (cpus !== undefined && !(cpus >= 0.01 && cpus <= facts.cpus))
    throw refuse("cpus", cpus, `want 0.01 to ${facts.cpus}, the CPUs of this host`);
  if (cpuShares !== undefined && cpuShares < 0) throw refuse("cpu-shares", cpuShares, "want a positive number");
  if (cpuPeriod !== undefined && (cpuPeriod < 1000 || cpuPeriod > 1_000_000))
    throw refuse("cpu-period", cpuPeriod, "want 1000 to 1000000 microseconds");
  if (cpuQuota !== undefined && cpuQuota !== -1 && cpuQuota < 1000)
    throw refuse("cpu-quota", cpuQuota, "want at least 1000 microseconds");
  for (const [name, list] of [
    ["cpuset-cpus", wishes.cpusetCpus],
    ["cpuset-mems", wishes.cpusetMems],
  ] as const) {
    if (list !== undefined && list !== "" && !/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(list))
      throw refuse(name, list, 'want a list as in "0-2,4"');
  }
  if (memory !== undefined && memorySwap !== undefined && !facts.swapLimit) {
    return ["this kernel cannot limit swap: memory is limited without it"];
  }
  return [];
}

/** Checks names and numbers of ulimits. @throws TeuError `invalid`. */
export function checkUlimits(ulimits: readonly UlimitOption[]): void {
  for (const { name, soft, hard } of ulimits) {
    if (!ULIMITS.includes(name)) throw refuse("ulimit", name, "there is no such limit");
    const valid = (value: number) => Number.isSafeInteger(value) && value >= -1;
    if (!valid(soft) || !valid(hard))
      throw refuse("ulimit", `${name}=${soft}:${hard}`, "want whole numbers, or -1 for unlimited");
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw refuse("ulimit", `${name}=${soft}:${hard}`, "the soft limit is above the hard one");
  }
}

/** An oom score below the engine's own needs CAP_SYS_RESOURCE. @throws TeuError `invalid`, `unsupported`. */
export function checkOomScore(score: number, facts: HostFacts): void {
  if (!Number.isInteger(score) || score < -1000 || score > 1000)
    throw refuse("oom-score-adj", score, "want -1000 to 1000");
  if (score !== 0 && score < facts.oomScoreAdj && !facts.capabilities.includes("CAP_SYS_RESOURCE")) {
    throw new TeuError({
      code: "unsupported",
      op: "set oom-score-adj",
      subject: String(score),
      message: `lowering it below ${facts.oomScoreAdj} needs CAP_SYS_RESOURCE, which this host does not have`,
    });
  }
}

function refuse(what: string, value: string | number, message: string): TeuError {
  return new TeuError({ code: "invalid", op: `set ${what}`, subject: String(value), message });
}
