// A host that stands still, for tests: like the machines of many clouds, without CAP_SYS_RESOURCE.

import { CAPABILITIES } from "@teu/specs/capabilities";
import type { HostFacts } from "../host-facts.ts";

/** The facts. */
export const FACTS: HostFacts = {
  architecture: "x64", kernel: [6, 12], capabilities: CAPABILITIES.filter((name) => name !== "CAP_SYS_RESOURCE"),
  hardLimits: { RLIMIT_NOFILE: 20_000, RLIMIT_NPROC: 1000 }, oomScoreAdj: 0, cgroup: 1, hostname: "box", swapLimit: true, seccomp: true, cpus: 4,
};
