// linux.memoryPolicy (runtime-spec, "Memory policy"): on which NUMA nodes memory is taken, set_mempolicy(2).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import type { MemoryPolicy } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { parseNumberList } from "./number-list.ts";

/** By their names in linux/mempolicy.h. */
export const MEMORY_MODES: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};
/** Likewise. */
export const MEMORY_FLAGS: Readonly<Record<string, number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};

/** What set_mempolicy(2) takes. */
export interface MemoryPolicyPlan {
  readonly mode: number;
  readonly nodes: readonly number[];
}

/** Reads it; null when there is none. Throws TeuError `invalid` for unknown names. */
export function planMemoryPolicy(policy: MemoryPolicy | undefined): MemoryPolicyPlan | null {
  if (policy === undefined) return null;
  let mode = MEMORY_MODES[policy.mode];
  if (mode === undefined) throw invalidConfig("linux.memoryPolicy.mode", `unknown mode ${JSON.stringify(policy.mode)}`);
  for (const [index, name] of (policy.flags ?? []).entries()) {
    const flag = MEMORY_FLAGS[name];
    if (flag === undefined)
      throw invalidConfig(`linux.memoryPolicy.flags[${index}]`, `unknown flag ${JSON.stringify(name)}`);
    mode |= flag;
  }
  return { mode, nodes: parseNumberList(policy.nodes ?? "", "linux.memoryPolicy.nodes") };
}

/** Sets it for this process and what it becomes. */
export function applyMemoryPolicy(kernel: Kernel, { mode, nodes }: MemoryPolicyPlan): void {
  try {
    kernel.process.setMempolicy(mode, nodes);
  } catch (error) {
    throw new TeuError({
      code: "invalid",
      op: "set memory policy",
      subject: "linux.memoryPolicy",
      message: "the kernel refuses this mode with these flags and nodes",
      cause: error,
    });
  }
}
