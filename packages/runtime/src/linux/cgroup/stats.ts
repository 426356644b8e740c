// What a container's cgroup has used, in the form of runc's `events` (its types/events.go).
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { type CgroupRecord, cgroupDirectory } from "./record.ts";
import { type Exact, StatFiles } from "./stat-files.ts";
import { legacyStats } from "./stats-legacy.ts";
import { unifiedStats } from "./stats-unified.ts";

/** Reads them all; what the kernel or the container does not have is left out, as runc leaves it. */
export function cgroupStats(kernel: Kernel, record: CgroupRecord): Exact {
  const directory = cgroupDirectory(record, "");
  const stats =
    record.kind === "unified" && directory !== null
      ? unifiedStats(new StatFiles(kernel, directory))
      : legacyStats((controller) => new StatFiles(kernel, cgroupDirectory(record, controller)));
  return { ...stats, intel_rdt: {}, network_interfaces: null };
}
