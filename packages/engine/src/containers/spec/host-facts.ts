// What spec generation must know of the host, as a value: probed once per process, held still in tests.

import { readFileSync, statSync } from "node:fs";
import { arch, hostname, release } from "node:os";

import { CAPABILITIES } from "@teu/specs/capabilities";

import { capabilitiesOfMask } from "./capabilities.ts";

/** The host, as far as a container's spec depends on it. */
export interface HostFacts {
  /** "x64", "arm64" ... as Node says. */
  readonly architecture: string;
  readonly kernel: readonly [number, number];
  /** Bounding set of this process. */
  readonly capabilities: readonly string[];
  /** Hard limits by name as in setrlimit(2): "RLIMIT_NOFILE"; Infinity: unlimited. */
  readonly hardLimits: Readonly<Record<string, number>>;
  readonly oomScoreAdj: number;
  readonly cgroup: 1 | 2;
  /** Whether memory plus swap can be limited. */
  readonly swapLimit: boolean;
  readonly seccomp: boolean;
  readonly hostname: string;
  /** Online CPUs. */
  readonly cpus: number;
}

let probed: HostFacts | undefined;

/** The facts of this host. */
export function hostFacts(): HostFacts {
  probed ??= probe();
  return probed;
}

/** Whether the host's kernel is at least this one. */
export function since(facts: HostFacts, major: number, minor: number): boolean {
  return facts.kernel[0] > major || (facts.kernel[0] === major && facts.kernel[1] >= minor);
}

function probe(): HostFacts {
  const status = readFileSync("/proc/self/status", "latin1");
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1];
  const [major, minor] = release().split(".").map(Number);
  const cgroup = exists("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1;
  return {
    architecture: arch(),
    kernel: [major ?? 0, minor ?? 0],
    capabilities: field("CapBnd") === undefined ? CAPABILITIES : capabilitiesOfMask(field("CapBnd") ?? "0"),
    hardLimits: parseLimits(readFileSync("/proc/self/limits", "latin1")),
    oomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "latin1")),
    cgroup,
    hostname: hostname(),
    swapLimit: cgroup === 2 || exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"),
    seccomp: field("Seccomp") !== undefined,
    cpus: countCpus(readFileSync("/sys/devices/system/cpu/online", "latin1")),
  };
}

const LIMIT_NAMES: Readonly<Record<string, string>> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** Hard limits in the text of /proc/PID/limits. */
export function parseLimits(text: string): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const match = /^(.{25}) (\S+)\s+(\S+)/.exec(line);
    const name = LIMIT_NAMES[match?.[1]?.trim() ?? ""];
    if (name !== undefined) limits[name] = match?.[3] === "unlimited" ? Infinity : Number(match?.[3]);
  }
  return limits;
}

/** How many CPUs a list like "0-3,6" names. */
export function countCpus(list: string): number {
  return list
    .trim()
    .split(",")
    .reduce((sum, part) => {
      const [first, last] = part.split("-").map(Number);
      return sum + ((last ?? first ?? 0) - (first ?? 0) + 1);
    }, 0);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
