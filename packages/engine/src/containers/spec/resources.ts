// cgroup limits of a container: Docker's options in the units of the runtime-spec.

import type { DeviceRule, LinuxResources } from "@teu/specs/runtime";

import type { ResourceOptions } from "../create-options.ts";
import type { HostFacts } from "./host-facts.ts";

/** Microseconds over which a share of CPU is counted, unless told otherwise. */
const DEFAULT_PERIOD = 100_000;

/** The `resources` of a container. Checked wishes only; see settings/resources.ts. */
export function linuxResources(
  wishes: ResourceOptions,
  devices: readonly DeviceRule[],
  facts: HostFacts,
): LinuxResources {
  const memory = memoryResources(wishes, facts);
  const cpu = cpuResources(wishes);
  return {
    devices,
    ...(memory === null ? {} : { memory }),
    ...(cpu === null ? {} : { cpu }),
    ...(wishes.pidsLimit === undefined || wishes.pidsLimit <= 0 ? {} : { pids: { limit: wishes.pidsLimit } }),
  };
}

function memoryResources(wishes: ResourceOptions, facts: HostFacts): LinuxResources["memory"] | null {
  const { memory, memorySwap, memoryReservation } = wishes;
  if (memory === undefined && memoryReservation === undefined) return null;
  // As in Docker: as much swap as memory, unless told otherwise.
  const swap =
    memory === undefined ? undefined : memorySwap === undefined || memorySwap === 0 ? memory * 2 : memorySwap;
  return {
    ...(memory === undefined ? {} : { limit: memory }),
    ...(memoryReservation === undefined ? {} : { reservation: memoryReservation }),
    ...(swap === undefined || !facts.swapLimit ? {} : { swap }),
  };
}

function cpuResources(wishes: ResourceOptions): LinuxResources["cpu"] | null {
  const period = wishes.cpuPeriod ?? (wishes.cpus === undefined ? undefined : DEFAULT_PERIOD);
  const quota =
    wishes.cpuQuota ?? (wishes.cpus === undefined ? undefined : Math.round(wishes.cpus * (period ?? DEFAULT_PERIOD)));
  const cpu = {
    ...(wishes.cpuShares === undefined || wishes.cpuShares === 0 ? {} : { shares: wishes.cpuShares }),
    ...(quota === undefined ? {} : { quota }),
    ...(period === undefined ? {} : { period }),
    ...(wishes.cpusetCpus === undefined || wishes.cpusetCpus === "" ? {} : { cpus: wishes.cpusetCpus }),
    ...(wishes.cpusetMems === undefined || wishes.cpusetMems === "" ? {} : { mems: wishes.cpusetMems }),
  };
  return Object.keys(cpu).length === 0 ? null : cpu;
}
