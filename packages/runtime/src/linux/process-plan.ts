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
    scheduler: planScheduler(process.scheduler, `${at}.scheduler`),
    ioPriority: planIoPriority(process.ioPriority, `${at}.ioPriority`),
    personality: planPersonality(linux),
    memoryPolicy: planMemoryPolicy(linux.memoryPolicy),
    execAffinity: {
      initial: parseNumberList(process.execCPUAffinity?.initial ?? "", `${at}.execCPUAffinity.initial`),
      final: parseNumberList(process.execCPUAffinity?.final ?? "", `${at}.execCPUAffinity.final`),
    },
    terminal: process.terminal ?? false,
    consoleSize: process.consoleSize,
  };
}

const PRIORITIES = 8;

function planIoPriority(priority: IoPriority | undefined, at: string): number | null {
  if (priority === undefined) return null;
  const level = priority.priority ?? 0;
  if (level < 0 || level >= PRIORITIES) throw invalidConfig(`${at}.priority`, `want 0 to 7, have ${level}`);
  return (IO_CLASSES[priority.class] << 13) | level;
}

function planPersonality({ personality }: Linux): number | null {
  if (personality === undefined) return null;
  const [flag] = personality.flags ?? [];
  // The spec has no flags yet, so that there is nothing that one could mean.
  if (flag !== undefined) throw invalidConfig("linux.personality.flags", `unknown flag ${JSON.stringify(flag)}`);
  return personality.domain === "LINUX32" ? PER_LINUX32 : PER_LINUX;
}

/** By their names in linux/sched.h. */
export const SCHEDULER_FLAGS: ReadonlyMap<string, number> = new Map([
  ["SCHED_FLAG_RESET_ON_FORK", 1],
  ["SCHED_FLAG_RECLAIM", 2],
  ["SCHED_FLAG_DL_OVERRUN", 4],
  ["SCHED_FLAG_KEEP_POLICY", 8],
  ["SCHED_FLAG_KEEP_PARAMS", 16],
  ["SCHED_FLAG_UTIL_CLAMP_MIN", 32],
  ["SCHED_FLAG_UTIL_CLAMP_MAX", 64],
]);

function planScheduler(scheduler: Scheduler | undefined, at: string): Scheduler | null {
  if (scheduler === undefined) return null;
  const { policy, nice = 0, priority = 0, flags = [] } = scheduler;
  if (nice < -20 || nice > 19) throw invalidConfig(`${at}.nice`, `want -20 to 19, have ${nice}`);
  if (priority !== 0 && policy !== "SCHED_FIFO" && policy !== "SCHED_RR")
    throw invalidConfig(`${at}.priority`, `${policy} has none`);
  const times = [scheduler.runtime, scheduler.deadline, scheduler.period].some((time) => (time ?? 0) !== 0);
  if (times && policy !== "SCHED_DEADLINE")
    throw invalidConfig(at, `runtime, deadline and period are for SCHED_DEADLINE, not for ${policy}`);
  for (const [index, flag] of flags.entries())
    if (!SCHEDULER_FLAGS.has(flag))
      throw invalidConfig(`${at}.flags[${index}]`, `unknown flag ${JSON.stringify(flag)}`);
  return scheduler;
}
