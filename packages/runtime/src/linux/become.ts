// Turns this process, which is already inside the container, into the container's: limits, directory, user, capabilities, filter.
// The order is the security: see each step. The program itself is executed by `execute`.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  CLOSE_RANGE_ALL,
  CLOSE_RANGE_CLOEXEC,
  O_CLOEXEC,
  O_PATH,
  S_IFCHR,
  S_IFMT,
} from "@teu/sys/constants/fs";
import { IOPRIO_WHO_PROCESS, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Scheduler } from "@teu/specs/runtime";
import { verbatim } from "../failure.ts";
import { applyBounding, applyCapabilities } from "./capabilities.ts";
import { type LabelWrite, applyLabels, openAttributes } from "./labels.ts";
import { applyMemoryPolicy } from "./memory-policy.ts";
import { environmentWithHome, lookUpProgram } from "./program.ts";
import { type ProcessPlan, SCHEDULER_FLAGS } from "./process-plan.ts";
import { applyRlimits } from "./rlimits.ts";
import { type SeccompPlan, applySeccomp, notifies } from "./seccomp.ts";
import type { ChildMessage } from "./twin.ts";

/** What `execute` needs. */
export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly labels: readonly LabelWrite[];
}

const POLICIES: Readonly<Record<Scheduler["policy"], number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
/**
 * Everything up to the wait for `start`. The filter is loaded here when new privileges are allowed, since that needs CAP_SYS_ADMIN,
 * which is about to go; and when it notifies, since the parent must be there to fetch its descriptor. Returns the program to
 * execute, or null when there are no arguments (then `start` has to fail, not `create`).
 */
export function* become(
  kernel: Kernel,
  plan: ProcessPlan,
  seccomp: SeccompPlan | null,
  keepFds: number,
  labelsFd: number,
): Generator<ChildMessage, Program | null, void> {
  const { process, fs } = kernel;
  // From here on whatever else is open goes at execve. Before the filter: it may not know close_range.
  fs.closeRange(3 + keepFds, CLOSE_RANGE_ALL, CLOSE_RANGE_CLOEXEC);
  const labels = openAttributes(kernel, labelsFd, plan);
  const env = environmentWithHome(kernel, plan);
  applyScheduling(kernel, plan);
  applyRlimits(kernel, plan.rlimits);
  const entered = enterDirectory(kernel, plan.cwd);
  if (seccomp !== null && !plan.noNewPrivileges) yield* loadFilter(kernel, seccomp);
  applyBounding(kernel, plan.capabilities);
  // Permitted capabilities must survive the change of user until capset says which.
  process.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  switchUser(kernel, plan);
  process.prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  applyCapabilities(kernel, plan.capabilities);
  if (!entered && !enterDirectory(kernel, plan.cwd)) throw directoryError(plan.cwd, "permission denied");
  process.umask(plan.umask);
  if (plan.noNewPrivileges) process.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (plan.args.length === 0) return null;
  const program = { path: lookUpProgram(kernel, plan.args[0] ?? "", env), args: plan.args, env, labels };
  if (seccomp !== null && plan.noNewPrivileges && notifies(seccomp)) yield* loadFilter(kernel, seccomp);
  return program;
}

/** Loads it; one that notifies with the parent's help, since it may forbid whatever would be needed to hand the descriptor on. */
function* loadFilter(kernel: Kernel, seccomp: SeccompPlan): Generator<ChildMessage, void, void> {
  if (notifies(seccomp)) {
    // The kernel takes the lowest number that is free, as it does for this.
    const fd = kernel.fs.openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
    kernel.fs.close(fd);
    yield { step: "listener", fd };
  }
  applySeccomp(kernel, seccomp);
}

/** Loads the filter as late as can be when new privileges are forbidden, and becomes the program. Returns only by throwing. */
export function execute(
  kernel: Kernel,
  program: Program | null,
  plan: ProcessPlan,
  seccomp: SeccompPlan | null,
): never {
  if (program === null)
    throw new TeuError({ code: "invalid", op: "start container", message: "config.json has no process.args" });
  applyLabels(kernel, program.labels);
  if (seccomp !== null && plan.noNewPrivileges && !notifies(seccomp)) applySeccomp(kernel, seccomp);
  try {
    return kernel.process.execveat(AT_FDCWD, program.path, program.args, program.env, 0);
  } catch (error) {
    if (!isSysError(error)) throw error;
    throw verbatim("invalid", `exec ${JSON.stringify(program.path)}: ${EXEC_TEXTS[error.errno] ?? error.errno}`);
  }
}

const EXEC_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  ENOEXEC: "exec format error",
  E2BIG: "argument list too long",
  EPERM: "operation not permitted",
  ETXTBSY: "text file busy",
};

/** Why a stream stays as it is: closed, no rights over it (user namespace), or its file system knows no owners. */
const NOT_GIVEN: readonly string[] = ["EBADF", "EPERM", "EACCES", "EINVAL", "EROFS"];

/**
 * A program that opens /dev/stdout and its kin again needs to own them: pipes, files and the terminal become its user's, as with
 * runc, but for the null device, which is everybody's. The group stays.
 */
function giveStreams({ fs }: Kernel, uid: number): void {
  for (const fd of [0, 1, 2]) {
    try {
      const { mode, rdevMajor, rdevMinor, uid: owner, gid } = fs.fstat(fd);
      const isNull = (mode & S_IFMT) === S_IFCHR && rdevMajor === 1 && rdevMinor === 3;
      if (owner !== uid && !isNull) fs.fchown(fd, uid, gid);
    } catch (error) {
      if (!isSysError(error) || !NOT_GIVEN.includes(error.errno)) throw error;
    }
  }
}

function switchUser(kernel: Kernel, plan: ProcessPlan): void {
  const { process } = kernel;
  if (plan.uid !== 0) giveStreams(kernel, plan.uid);
  try {
    if (plan.groups !== null) process.setgroups(plan.groups);
  } catch (error) {
    // A user namespace whose maps were written without privilege has no setgroups; harmless when nothing more was asked for.
    if (!isSysError(error, "EPERM")) throw error;
    const wanted = plan.groups ?? [];
    const there = wanted.length > 0 ? [plan.gid, ...process.getgroups()] : [];
    if (!wanted.every((group) => there.includes(group)))
      throw verbatim("denied", "cannot set any additional groups in a rootless container", error);
  }
  process.setresgid(plan.gid, plan.gid, plan.gid);
  process.setresuid(plan.uid, plan.uid, plan.uid);
}

/** Enters the working directory; false when this user may not. Checks by name that it is inside the root (CVE-2024-21626). */
function enterDirectory(kernel: Kernel, path: string): boolean {
  try {
    kernel.process.chdir(path);
  } catch (error) {
    if (isSysError(error, "EACCES")) return false;
    if (!isSysError(error)) throw error;
    throw directoryError(
      path,
      error.errno === "ENOENT"
        ? "no such file or directory"
        : error.errno === "ENOTDIR"
          ? "not a directory"
          : error.errno,
    );
  }
  let cwd: string;
  try {
    cwd = kernel.process.getcwd();
  } catch (error) {
    if (!isSysError(error, "ENOENT")) throw error;
    cwd = "";
  }
  if (!cwd.startsWith("/")) {
    throw new TeuError({
      code: "denied",
      op: "enter directory",
      subject: path,
      message:
        "current working directory is outside of container mount namespace root -- possible container breakout detected",
    });
  }
  return true;
}

function directoryError(path: string, text: string): TeuError {
  return verbatim("invalid", `chdir to cwd (${JSON.stringify(path)}) set in config.json failed: ${text}`);
}

function applyScheduling(kernel: Kernel, plan: ProcessPlan): void {
  const { process } = kernel;
  if (plan.personality !== null) process.personality(plan.personality);
  if (plan.ioPriority !== null) process.ioprioSet(IOPRIO_WHO_PROCESS, 0, plan.ioPriority);
  if (plan.memoryPolicy !== null) applyMemoryPolicy(kernel, plan.memoryPolicy);
  if (plan.scheduler === null) return;
  const { policy, nice, priority, runtime, deadline, period, flags } = plan.scheduler;
  try {
    process.schedSetattr(0, {
      policy: POLICIES[policy],
      nice: nice ?? 0,
      priority: priority ?? 0,
      runtime: runtime ?? 0,
      deadline: deadline ?? 0,
      period: period ?? 0,
      flags: (flags ?? []).reduce((bits, flag) => bits | (SCHEDULER_FLAGS.get(flag) ?? 0), 0),
    });
  } catch (error) {
    throw new TeuError({
      code: "denied",
      op: "set scheduler",
      subject: policy,
      message: "refused",
      hint: "A realtime policy needs CAP_SYS_NICE, and on cgroup v1 a share of linux.resources.cpu.realtimeRuntime.",
      cause: error,
    });
  }
}
