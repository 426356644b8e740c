// What a process of a container is to be: from `process` of config.json (or of exec's file) to numbers. Pure.
// portable: no host types here.

import { PER_LINUX, PER_LINUX32 } from "@teu/sys/constants/process";
import type { IoPriority, Linux, Process, Scheduler } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { type CapabilityPlan, planCapabilities } from "./capabilities.ts";
import { type MemoryPolicyPlan, planMemoryPolicy } from "./memory-policy.ts";
import { parseNumberList } from "./number-list.ts";
import { type RlimitStep, planRlimits } from "./rlimits.ts";

/** All that a program inherits over execve, decided. */
export interface ProcessPlan {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  /** null: those of whoever called the runtime. */
  readonly groups: readonly number[] | null;
  readonly umask: number;
  readonly capabilities: CapabilityPlan;
  readonly rlimits: readonly RlimitStep[];
  /** Profile and label, "" for none. */
  readonly apparmor: string;
  readonly selinux: string;
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number | null;
  readonly scheduler: Scheduler | null;
  readonly ioPriority: number | null;
  readonly personality: number | null;
  readonly memoryPolicy: MemoryPolicyPlan | null;
  /** CPU numbers, for exec only. Empty: not said. */
  readonly execAffinity: { readonly initial: readonly number[]; readonly final: readonly number[] };
  readonly terminal: boolean;
  readonly consoleSize: Process["consoleSize"];
}

const DEFAULT_UMASK = 0o022;
/** setresuid(-1) changes nothing, so this id would mean "stay root" (CVE-2026-30892 and its kin). */
const NO_ID = 4294967295;
const IO_CLASSES: Readonly<Record<IoPriority["class"], number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};

/** Reads a process; `at` is its JSON path. Throws TeuError `invalid`. */
export function planProcess(process: Process, linux: Linux, at: string, keepGroups = false): ProcessPlan {
  const user = process.user ?? {};
  for (const id of [user.uid ?? 0, user.gid ?? 0, ...(user.additionalGids ?? [])]) {
    if (!Number.isInteger(id) || id < 0 || id >= NO_ID)
      throw invalidConfig(`${at}.user`, `${id} is not a user or group id`);
  }
  if (!process.cwd.startsWith("/"))
    throw invalidConfig(`${at}.cwd`, `Cwd must be an absolute path, is ${JSON.stringify(process.cwd)}`);
  for (const [index, entry] of (process.env ?? []).entries()) {
    if (entry.includes("\0")) throw invalidConfig(`${at}.env[${index}]`, "contains a NUL");
  }
  return {
    args: process.args ?? [],
    env: process.env ?? [],
    cwd: process.cwd,
    uid: user.uid ?? 0,
    gid: user.gid ?? 0,
    groups: keepGroups ? null : (user.additionalGids ?? []),
    umask: user.umask ?? DEFAULT_UMASK,
    capabilities: planCapabilities(process.capabilities, `${at}.capabilities`),
    rlimits: planRlimits(process.rlimits, at),
    apparmor: process.apparmorProfile ?? "",
    selinux: process.selinuxLabel ?? "",
    noNewPrivileges: process.noNewPrivileges ?? false,
    oomScoreAdj: process.oomScoreAdj ?? null,
    scheduler: process.scheduler ?? null,
    ioPriority:
      process.ioPriority === undefined
        ? null
        : (IO_CLASSES[process.ioPriority.class] << 13) | (process.ioPriority.priority ?? 0),
    personality:
      linux.personality === undefined ? null : linux.personality.domain === "LINUX32" ? PER_LINUX32 : PER_LINUX,
    memoryPolicy: planMemoryPolicy(linux.memoryPolicy),
    execAffinity: {
      initial: parseNumberList(process.execCPUAffinity?.initial ?? "", `${at}.execCPUAffinity.initial`),
      final: parseNumberList(process.execCPUAffinity?.final ?? "", `${at}.execCPUAffinity.final`),
    },
    terminal: process.terminal ?? false,
    consoleSize: process.consoleSize,
  };
}
