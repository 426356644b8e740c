// Limits that are taken and have no effect, as with runc.
// portable: no host types here.

import type { MemoryResources } from "@teu/specs/runtime";

/**
 * memory.kernel and memory.kernelTCP: the kernel has given up the first (Linux 5.16), cgroup v2 never had the second, and the
 * runtime-spec recommends neither; runc has warned of both since 1.0.0-rc94, in these words. memory.useHierarchy is passed over without
 * a word: all memory cgroups count their children since Linux 5.11, which is what callers want who set it.
 */
export function obsoleteLimits(memory: MemoryResources | undefined): string[] {
  return memory?.kernel === undefined && memory?.kernelTCP === undefined
    ? []
    : ["Kernel memory settings are ignored and will be removed"];
}
