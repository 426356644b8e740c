// Puts a new process into a running container: its cgroup, its namespaces through init's pidfd, and then what every process of a
// container becomes. Nothing is mounted and no path of the container is used from outside.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, PR_SET_DUMPABLE, SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Process, Spec } from "@teu/specs/runtime";
import type { ContainerRecord } from "../container/record.ts";
import { specState } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { become, execute } from "./become.ts";
import { joinCgroup } from "./cgroup/manager.ts";
import { type CgroupRecord, cgroupDirectory } from "./cgroup/record.ts";
import { cgroupOfInit } from "./cgroup/sub-cgroup.ts";
import { isRootless } from "./cgroup/waive.ts";
import { adoptConsole, connectConsoleSocket, openConsole, sendConsole } from "./console.ts";
import { planExtensions } from "./extensions.ts";
import { firstId } from "./id-maps.ts";
import { joinKeyring } from "./keyring.ts";
import { openInit } from "./kill-container.ts";
import { openLabels } from "./labels.ts";
import { NAMESPACE_FILES, NAMESPACE_FLAGS } from "./namespaces.ts";
import { setOomScore } from "./oom-score.ts";
import { connectPidfdSocket, sendPidfd } from "./pidfd-socket.ts";
import { type ProcessPlan, planProcess } from "./process-plan.ts";
import { joinResctrl } from "./resctrl.ts";
import { RootfsPath } from "./rootfs-path.ts";
import { type SeccompPlan, seccompOf } from "./seccomp.ts";
import { connectAgent, handOver } from "./seccomp-notify.ts";
import { resetIfTold, resetInherited } from "./signals.ts";
import { type ChildChannel, type ChildMessage, Twin } from "./twin.ts";

/** What to run, and where. */
export interface EnterRequest {
  /** --root */
  readonly root: string;
  readonly record: ContainerRecord;
  /** The container's configuration as it was at create. */
  readonly spec: Spec;
  readonly process: Process;
  readonly consoleSocket: string;
  readonly consoleFd: number;
  readonly pidFile: string;
  readonly pidfdSocket: string;
  /** Where the process goes, instead of the container's cgroup. */
  readonly cgroup: CgroupRecord;
  readonly preserveFds: number;
}

interface Prepared {
  readonly request: EnterRequest;
  readonly plan: ProcessPlan;
  readonly seccomp: SeccompPlan | null;
  readonly init: number;
  /** Namespaces that differ from ours, by flag. */
  readonly flags: number;
  readonly newUser: boolean;
  /** Init's root, where the container is in the host's mount namespace; else -1. */
  readonly rootFd: number;
  readonly consoleSocket: number;
  readonly notifySocket: number;
  /** The host's procfs, or -1 without labels. */
  readonly labelsFd: number;
}

/** Starts the process; the pidfd is the caller's to close. Throws what kept it from running. */
export function enterContainer(kernel: Kernel, request: EnterRequest): { pid: number; pidfd: number } {
  const { record, spec } = request;
  kernel.step?.("plan, filter, namespaces looked at");
  const extensions = planExtensions(record.annotations);
  const plan = planProcess(request.process, spec.linux ?? {}, "process", extensions.keepGroups);
  const seccomp = seccompOf(kernel, request.root, spec.linux?.seccomp, extensions);
  const pidfdSocket = connectPidfdSocket(kernel, request.pidfdSocket);
  let flags = 0;
  let rootFd = -1;
  // Looked at before init is checked: of a stranger that has its pid by now they may be the host's, and the process would run there.
  const init = openInit(kernel, record, () => {
    flags = foreignNamespaces(kernel, record);
    if (!record.namespaces.includes("mount"))
      rootFd = kernel.fs.openat(AT_FDCWD, `/proc/${record.pid}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  });
  if (init === null) throw verbatim("conflict", "cannot exec in a stopped container");
  const prepared: Prepared = {
    request,
    plan,
    seccomp,
    init,
    flags,
    newUser: record.namespaces.includes("user"),
    rootFd,
    consoleSocket:
      request.consoleSocket === "" ? request.consoleFd : connectConsoleSocket(kernel, request.consoleSocket),
    notifySocket: connectAgent(kernel, seccomp),
    labelsFd: openLabels(kernel, plan, ""),
  };
  // With less than the host's root the new process is out of reach until it is the program, so that it must inherit its score.
  const lesser = plan.oomScoreAdj !== null && isRootless(kernel, null);
  if (lesser && plan.oomScoreAdj !== null) setOomScore(kernel, "self", plan.oomScoreAdj);
  kernel.step?.("clone");
  const twin = clone(kernel, prepared);
  kernel.step?.("wait for the child");
  try {
    if (record.resctrl !== undefined) joinResctrl(kernel, record.resctrl, twin.pid);
    if (plan.oomScoreAdj !== null && !lesser) setOomScore(kernel, twin.pid, plan.oomScoreAdj);
    // Now, while it works anyway.
    const note = resetInherited(kernel, kernel.process.processStat(twin.pid));
    for (let message = twin.receive(); message?.step !== "ready"; message = twin.receive()) {
      if (message === null)
        throw new TeuError({ code: "internal", op: "enter container", message: "the new process ended" });
      twin.goOn();
      handOver(kernel, twin, message, prepared.notifySocket, seccomp, specState(record, "running", twin.pid));
    }
    if (pidfdSocket >= 0) sendPidfd(kernel, pidfdSocket, twin.pidfd, "setns");
    if (request.pidFile !== "") kernel.fs.replaceFileAt(AT_FDCWD, request.pidFile, String(twin.pid), 0o644, false);
    kernel.step?.("wait for execve");
    twin.resume(note);
    twin.receive();
    return { pid: twin.pid, pidfd: twin.pidfd };
  } catch (error) {
    kernel.process.pidfdSendSignal(twin.pidfd, SIGKILL);
    kernel.process.waitpid(twin.pid, 0);
    throw error;
  }
}

/** Of the container's namespaces those that are not ours already: joining one's own user namespace again is refused. */
function foreignNamespaces(kernel: Kernel, record: ContainerRecord): number {
  let flags = 0;
  for (const type of record.namespaces) {
    const file = NAMESPACE_FILES[type];
    const own = kernel.fs.readlinkAt(AT_FDCWD, `/proc/self/ns/${file}`);
    if (kernel.fs.readlinkAt(AT_FDCWD, `/proc/${record.pid}/ns/${file}`) !== own) flags |= NAMESPACE_FLAGS[type];
  }
  return flags;
}

function clone(kernel: Kernel, prepared: Prepared): Twin {
  const { namespace, fs } = kernel;
  kernel.process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const unified = cgroupDirectory(prepared.request.cgroup, "");
  const open = (path: string): number => fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  // Before the cgroup, which on v2 it is born in.
  setAffinity(kernel, "initial", prepared.plan.execAffinity.initial);
  const passed = Array.from({ length: prepared.request.preserveFds }, (_, index) => 3 + index);
  const keep = [prepared.init, prepared.consoleSocket, prepared.labelsFd, prepared.rootFd, ...passed];
  const options = { flags: 0, ...(unified === null ? {} : { cgroupFd: open(unified) }) };
  // A pid (or time) namespace is entered by children only.
  const forChildren = prepared.flags & (CLONE_NEWPID | CLONE_NEWTIME);
  try {
    if (forChildren !== 0) namespace.setns(prepared.init, forChildren);
  } catch (error) {
    // Only root of the container's user namespace has the right to.
    if (!isSysError(error, "EPERM") || (prepared.flags & CLONE_NEWUSER) === 0) throw error;
    return Twin.startThrough(
      kernel,
      options,
      keep,
      () => namespace.setns(prepared.init, forChildren | CLONE_NEWUSER),
      (channel) => enterChild(kernel, { ...prepared, flags: prepared.flags & ~CLONE_NEWUSER }, channel),
    );
  }
  const start = (more: typeof options): Twin =>
    Twin.start(kernel, more, keep, (channel) => enterChild(kernel, prepared, channel));
  try {
    return start(options);
  } catch (error) {
    // cgroup v2: a program in the container has passed controllers on to child cgroups, so that no process may be in the one above.
    if (unified === null || !isSysError(error, "EBUSY")) throw error;
    return start({ flags: 0, cgroupFd: open(cgroupOfInit(kernel, unified, prepared.request.record.pid)) });
  }
}

/** The kernel takes from a list those that the cgroup allows. */
const everyCpu = (): readonly number[] => Array.from({ length: 8192 }, (_, cpu) => cpu);

function setAffinity(kernel: Kernel, name: "initial" | "final", cpus: readonly number[]): void {
  if (cpus.length === 0) return;
  try {
    kernel.process.schedSetaffinity(0, cpus);
  } catch (error) {
    throw new TeuError({
      code: "invalid",
      op: "set CPU affinity",
      subject: `process.execCPUAffinity.${name}`,
      message: "none of these CPUs may be used here",
      cause: error,
    });
  }
}

function* enterChild(kernel: Kernel, prepared: Prepared, channel: ChildChannel): Generator<ChildMessage, void, void> {
  const { process, fs } = kernel;
  const { plan, seccomp, request } = prepared;
  kernel.step?.("cgroups, session");
  joinCgroup(kernel, request.cgroup);
  const { initial, final } = plan.execAffinity;
  // What was asked for at first is kept by the kernel within the cgroup's CPUs; without it they are all there to be used.
  setAffinity(kernel, "final", final.length > 0 || initial.length === 0 ? final : everyCpu());
  process.setsid();
  kernel.step?.("namespaces, keyring, terminal");
  const inside = prepared.flags & ~(CLONE_NEWPID | CLONE_NEWTIME);
  if (inside !== 0) kernel.namespace.setns(prepared.init, inside);
  if (prepared.rootFd >= 0) enterRoot(kernel, prepared.rootFd);
  if (prepared.newUser) {
    const { gidMappings, uidMappings } = request.spec.linux ?? {};
    const [gid, uid] = [firstId(gidMappings, plan.gid), firstId(uidMappings, plan.uid)];
    process.setresgid(gid, gid, gid);
    process.setresuid(uid, uid, uid);
  }
  joinKeyring(kernel, request.record.id);
  if (plan.terminal) {
    const root = fs.openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    const console = openConsole(kernel, new RootfsPath(kernel, root), plan.consoleSize);
    sendConsole(kernel, prepared.consoleSocket, console);
    adoptConsole(kernel, console);
    for (const fd of [console.master, console.peer, root]) fs.close(fd);
  }
  kernel.step?.("limits, user, capabilities");
  const program = yield* become(kernel, plan, seccomp, request.preserveFds, prepared.labelsFd);
  kernel.step?.("wait for the parent");
  yield { step: "ready" };
  resetIfTold(kernel, channel);
  kernel.step?.("filter, execve");
  execute(kernel, program, plan, seccomp);
}

/** No mount namespace brings the root along: it is entered as init's own. */
function enterRoot({ process, fs }: Kernel, rootFd: number): void {
  process.fchdir(rootFd);
  process.chroot(".");
  process.chdir("/");
  fs.close(rootFd);
}
