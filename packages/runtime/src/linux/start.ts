// The parent's half of a start: prepares on the host, clones, maps, runs the host's hooks, records. Undoes all of it when
// anything fails. What the child does is in start-child.ts.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "@teu/sys/constants/fs";
import { PR_SET_DUMPABLE, SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Spec, State } from "@teu/specs/runtime";
import { type ContainerRecord, StateDirectory, checkId } from "../container/record.ts";
import { RESULT_FIFO, START_FIFO, specState } from "../container/status.ts";
import type { CgroupManager } from "../cli/command.ts";
import { verbatim } from "../failure.ts";
import { NO_CGROUPS, detectCgroups } from "./cgroup/layout.ts";
import {
  type CgroupHandle,
  cgroupRecord,
  createCgroup,
  fillCgroup,
  removeCgroup,
  tellSystemd,
  withoutDirectories,
} from "./cgroup/manager.ts";
import { obsoleteLimits } from "./cgroup/obsolete-limits.ts";
import { SystemdBus } from "./cgroup/systemd/bus.ts";
import { isRootless } from "./cgroup/waive.ts";
import { connectConsoleSocket } from "./console.ts";
import { openHookSinks, runHooks } from "./hooks.ts";
import { setOomScore } from "./oom-score.ts";
import { openSources } from "./bind-sources.ts";
import { openLabels } from "./labels.ts";
import { mountWarnings } from "./mount-plan.ts";
import { checkIdMaps, writeIdMaps } from "./id-maps.ts";
import { enterUser, openJoins, prepareChildren } from "./namespace-files.ts";
import type { Join } from "./namespaces.ts";
import { prepareNotify } from "./notify-socket.ts";
import { connectPidfdSocket, sendPidfd } from "./pidfd-socket.ts";
import { joinResctrl, makeResctrl, prepareResctrl, removeResctrl } from "./resctrl.ts";
import { type SeccompPlan, seccompOf } from "./seccomp.ts";
import { resetInherited } from "./signals.ts";
import { type MovedDevices, moveNetDevices, readNetDevices } from "./net-devices.ts";
import { connectAgent, handOver } from "./seccomp-notify.ts";
import { type ChildEnvironment, makesTimeInside, startChild } from "./start-child.ts";
import { type StartPlan, planStart } from "./start-plan.ts";
import { refuseHostSysctl } from "./sysctl.ts";
import { type ChildProgram, Twin } from "./twin.ts";
import { Undo } from "./undo.ts";

/** How to start. */
export interface StartRequest {
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  /** --root */
  readonly root: string;
  readonly spec: Spec;
  /** config.json as read. */
  readonly configText: string;
  /** Wait for `start` after creation. */
  readonly wait: boolean;
  /** Path of a console socket, or an fd of our own that receives the master; neither without a terminal. */
  readonly consoleSocket: string;
  readonly consoleFd: number;
  readonly pidFile: string;
  readonly preserveFds: number;
  readonly newKeyring: boolean;
  /** Told of what is done otherwise than config.json says, and why. */
  readonly warn: (message: string) => void;
  /** Socket that receives a pidfd of init; "" for none. */
  readonly pidfdSocket: string;
  /** Change the root without pivot_root(2), for a host whose root is an initramfs. */
  readonly noPivot: boolean;
  /** Relay what the container tells NOTIFY_SOCKET. */
  readonly notify: boolean;
  readonly cgroupManager: CgroupManager;
  /** `--rootless`; null: auto. */
  readonly rootless: boolean | null;
}

/** A started (or waiting) container. `pidfd` is the caller's to close. */
export interface Started {
  readonly pid: number;
  readonly pidfd: number;
  readonly directory: StateDirectory;
  readonly record: ContainerRecord;
  /** The socket of `notify` when the container was not to wait; -1 otherwise. */
  readonly notifySocket: number;
}

/** Creates, and unless `wait` runs, a container. Throws what failed first, after undoing everything. */
export function startContainer(kernel: Kernel, request: StartRequest): Started {
  if (request.cgroupManager !== "systemd") return startWith(kernel, request, null);
  const bus = SystemdBus.connect(kernel, isRootless(kernel, request.rootless));
  try {
    return startWith(kernel, request, bus);
  } finally {
    bus.close();
  }
}

function startWith(kernel: Kernel, request: StartRequest, bus: SystemdBus | null): Started {
  kernel.step?.("find cgroups, plan");
  const cgroups =
    request.cgroupManager === "disabled" ? NO_CGROUPS : detectCgroups(kernel, request.spec.linux?.resources);
  const systemd = bus?.facts() ?? null;
  const plan = planStart(request.spec, checkId(request.id), request.bundle, { cgroups, systemd });
  for (const warning of [...mountWarnings(plan.mounts), ...obsoleteLimits(plan.linux.resources?.memory)])
    request.warn(warning);
  const undo = new Undo();
  try {
    kernel.step?.("state directory, filter");
    const directory = StateDirectory.create(kernel, request.root, request.id, (stale) => sweep(kernel, stale));
    undo.push(() => directory.remove());
    const resctrl = plan.resctrl === null ? null : prepareResctrl(kernel, plan.resctrl);
    const record = { ...firstRecord(kernel, plan, request), ...(resctrl === null ? {} : { resctrl }) };
    directory.write(record);
    const notifySocket = request.notify ? prepareNotify(kernel, directory, !request.wait) : -1;
    const seccomp = seccompOf(kernel, request.root, request.spec.linux?.seccomp, plan.extensions);
    const others = new Set<string>();
    const own = ({ path }: { readonly path: string }): boolean => !others.has(path);
    undo.push(() => removeCgroup(kernel, { ...record.cgroup, directories: record.cgroup.directories.filter(own) }));
    if (plan.resctrl !== null && resctrl !== null) {
      undo.push(() => removeResctrl(kernel, resctrl));
      makeResctrl(kernel, plan.resctrl, resctrl);
    }
    const devicesMatter = !plan.namespaces.newUser || (plan.linux.resources?.devices ?? []).length > 0;
    const waiver = { rootless: request.rootless, named: plan.cgroup.named, devicesMatter };
    kernel.step?.("cgroup v2");
    const cgroup = createCgroup(kernel, plan.cgroup, others, waiver);
    kernel.step?.("what the child inherits");
    const environment = prepareChild(kernel, plan, request, directory, record, seccomp, cgroup);
    kernel.step?.("clone");
    const twin = clone(kernel, plan, environment);
    undo.push(() => endChild(kernel, twin));
    if (resctrl !== null) joinResctrl(kernel, resctrl, twin.pid);
    // The child has them now; here they would keep mounts and namespaces of the host busy as long as `run` stays.
    for (const fd of [...environment.opened.values(), ...environment.joins.map((join) => join.fd)]) kernel.fs.close(fd);
    if (environment.hostMount >= 0) kernel.fs.close(environment.hostMount);
    // While the child makes its root: it joins them late.
    kernel.step?.("cgroup v1, config.json kept");
    const refused = fillCgroup(kernel, cgroup, others, waiver);
    if (bus !== null) tellSystemd(kernel, bus, withoutDirectories(cgroup, refused), twin.pid);
    if (plan.cgroup.kind === "legacy") twin.resumeAhead(refused.length === 0 ? "" : JSON.stringify(refused));
    directory.writeConfig(request.configText);
    const made = { ...record, cgroup: cgroupRecord(withoutDirectories(cgroup, refused).plan) };
    const finished = accompany(kernel, request, environment, directory, made, twin, undo);
    return { pid: twin.pid, pidfd: twin.pidfd, directory, record: finished, notifySocket };
  } catch (error) {
    undo.run();
    throw error;
  }
}

/** Clears away what a create or restore that was killed left behind. */
export function sweep(kernel: Kernel, stale: StateDirectory): void {
  const record = stale.tryRead();
  if (record !== null) {
    removeCgroup(kernel, record.cgroup);
    if (record.resctrl !== undefined) removeResctrl(kernel, record.resctrl);
  }
  stale.remove();
}

/** What is recorded of a container before it has a process. */
export function firstRecord(kernel: Kernel, plan: StartPlan, { spec }: Pick<StartRequest, "spec">): ContainerRecord {
  const { poststart, poststop } = plan.hooks;
  return {
    version: 1,
    ociVersion: spec.ociVersion,
    id: plan.id,
    pid: 0,
    startTime: 0,
    bundle: plan.bundle,
    rootfs: plan.rootfs,
    created: rfc3339(kernel.host.realtimeNs()),
    annotations: spec.annotations ?? {},
    cgroup: cgroupRecord(plan.cgroup),
    namespaces: [...plan.namespaces.has],
    ownPidNamespace: plan.namespaces.newPid,
    hooks: { ...(poststart === undefined ? {} : { poststart }), ...(poststop === undefined ? {} : { poststop }) },
  };
}

/** RFC 3339 with nanoseconds, UTC. */
export function rfc3339(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, -".000Z".length);
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
}

function prepareChild(
  kernel: Kernel,
  plan: StartPlan,
  request: StartRequest,
  directory: StateDirectory,
  record: ContainerRecord,
  seccomp: SeccompPlan | null,
  cgroup: CgroupHandle,
): ChildEnvironment {
  const { fs } = kernel;
  const fifo = (name: string): number => {
    if (!request.wait) return -1;
    fs.mkfifoAt(directory.fd, name, 0o600);
    // Open for both: the child's read then waits for a byte, not for an opener, and a writer finds it as long as it lives.
    return fs.openat(directory.fd, name, O_RDWR | O_CLOEXEC, 0);
  };
  const state = (status: State["status"], pid: number): State => specState(record, status, pid);
  const joins = openJoins(kernel, plan.namespaces.joinsInside);
  refuseHostSysctl(kernel, plan.sysctl, joins);
  return {
    plan,
    seccomp,
    cgroup,
    state,
    startFifo: fifo(START_FIFO),
    resultFifo: fifo(RESULT_FIFO),
    joins,
    hostMount: plan.namespaces.hostMount ? fs.openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC, 0) : -1,
    netDevices: readNetDevices(kernel, plan.netDevices),
    labelsFd: openLabels(kernel, plan.process, plan.linux.mountLabel ?? ""),
    opened: openSources(kernel, plan),
    consoleSocket:
      request.consoleSocket === "" ? request.consoleFd : connectConsoleSocket(kernel, request.consoleSocket),
    notifySocket: connectAgent(kernel, seccomp),
    hookSinks: openHookSinks(kernel, plan.extensions),
    keepFds: request.preserveFds,
    newKeyring: request.newKeyring,
    lesser: isLesser(kernel, plan),
    noPivot: request.noPivot,
  };
}

/** See `ChildEnvironment.lesser`; asked only where it matters. */
function isLesser(kernel: Kernel, { namespaces, process }: StartPlan): boolean {
  return (namespaces.newUser || process.oomScoreAdj !== null) && isRootless(kernel, null);
}

function clone(kernel: Kernel, plan: StartPlan, environment: ChildEnvironment): Twin {
  const { namespaces } = plan;
  const { joinUser } = namespaces;
  const restore =
    joinUser === null ? prepareChildren(kernel, namespaces, plan.linux, makesTimeInside(environment)) : () => {};
  // Not dumpable: nobody inside can ptrace the child or read its fds before execve (CVE-2016-9962).
  kernel.process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  try {
    const { unifiedFd } = environment.cgroup;
    const options = { flags: namespaces.cloneFlags, ...(unifiedFd >= 0 ? { cgroupFd: unifiedFd } : {}) };
    const keep = inheritedFds(environment);
    const program: ChildProgram = (channel) => startChild(kernel, environment, channel);
    return joinUser === null
      ? Twin.start(kernel, options, keep, program)
      : cloneThroughUser(kernel, plan, joinUser, options, keep, program);
  } catch (error) {
    throw cloneError(kernel, plan, error);
  } finally {
    restore();
  }
}

function cloneThroughUser(
  kernel: Kernel,
  { namespaces, linux }: StartPlan,
  joinUser: Join,
  options: Parameters<typeof Twin.startThrough>[1],
  keep: readonly number[],
  program: ChildProgram,
): Twin {
  const [user, ...others] = openJoins(kernel, [joinUser, ...namespaces.joinsBefore]);
  if (user === undefined)
    throw new TeuError({ code: "internal", op: "join user namespace", message: "it is not open" });
  const fds = [user, ...others].map(({ fd }) => fd);
  try {
    const enter = (): void => enterUser(kernel, namespaces, linux, user, others);
    return Twin.startThrough(kernel, options, [...keep, ...fds], enter, program);
  } finally {
    for (const fd of fds) kernel.fs.close(fd);
  }
}

/** The usual reasons in words; runc's where callers know them. */
function cloneError(kernel: Kernel, { namespaces, cgroup }: StartPlan, error: unknown): unknown {
  const why = (message: string, hint: string): TeuError =>
    new TeuError({ code: "denied", op: "make namespaces", message, hint, cause: error });
  if (isSysError(error, "EACCES") && cgroup.kind !== "none") {
    return why(
      "the kernel refuses to start a process in the container's cgroup: operation not permitted",
      "The cgroup that you are in and that of the container need a common parent that is delegated to you.",
    );
  }
  if (isSysError(error, "ENOSPC"))
    return why("too many of them", "See user.max_user_namespaces and its kin in sysctl, and the depth of nesting.");
  if (!isSysError(error, "EPERM")) return error;
  if (!namespaces.newUser) {
    if (kernel.process.geteuid() !== 0) return verbatim("denied", "rootless container requires user namespaces");
    return why("operation not permitted", "It needs CAP_SYS_ADMIN, or a user namespace in linux.namespaces.");
  }
  return why(
    "user namespaces are not permitted to you here",
    "See kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, or the seccomp profile you are under.",
  );
}

/** What the child needs of our fds. */
function inheritedFds(environment: ChildEnvironment): number[] {
  const { consoleSocket, labelsFd, hostMount, startFifo, resultFifo, joins, opened, hookSinks, keepFds } = environment;
  const passed = Array.from({ length: keepFds }, (_, index) => 3 + index);
  return [
    consoleSocket,
    labelsFd,
    hostMount,
    startFifo,
    resultFifo,
    ...joins.map(({ fd }) => fd),
    ...opened.values(),
    hookSinks.out,
    hookSinks.err,
    ...passed,
  ];
}

/** Meets the child at each of its steps until it is ready; then records it and lets it go. */
function accompany(
  kernel: Kernel,
  request: StartRequest,
  { plan, lesser, netDevices, notifySocket, seccomp }: ChildEnvironment,
  directory: StateDirectory,
  record: ContainerRecord,
  twin: Twin,
  undo: Undo,
): ContainerRecord {
  const moved: MovedDevices[] = [];
  const { joinUser } = plan.namespaces;
  if (joinUser !== null) checkIdMaps(kernel, twin.pid, plan.linux, joinUser.path);
  const pidfdSocket = connectPidfdSocket(kernel, request.pidfdSocket || plan.extensions.pidfdReceiver);
  if (plan.process.oomScoreAdj !== null && !lesser) setOomScore(kernel, twin.pid, plan.process.oomScoreAdj);
  const stat = kernel.process.processStat(twin.pid);
  const known: ContainerRecord = { ...record, pid: twin.pid, startTime: stat?.startTime ?? 0 };
  const note = resetInherited(kernel, stat);
  directory.prepare(known);
  kernel.step?.("wait for the child; id maps, hooks");
  for (;;) {
    const message = twin.receive();
    if (message === null) throw childDied(kernel, plan, twin);
    if (message.step === "maps") writeIdMaps(kernel, twin.pid, plan.linux);
    if (message.step === "devices") {
      const devices = moveNetDevices(kernel, twin.pid, netDevices);
      moved.push(devices);
      undo.push(() => devices.undo());
    }
    if (message.step === "hooks") {
      directory.write(known);
      runHooks(kernel, "prestart", plan.hooks.prestart, specState(known, "created", twin.pid));
      runHooks(kernel, "createRuntime", plan.hooks.createRuntime, specState(known, "created", twin.pid));
    }
    if (message.step === "listener") {
      twin.goOn();
      handOver(kernel, twin, message, notifySocket, seccomp, specState(known, "creating", twin.pid));
      continue;
    }
    if (message.step === "ready") break;
    // The cgroups are there already, and it has been told so ahead.
    if (message.step !== "cgroups") twin.resume(note);
  }
  kernel.step?.("record, pid file");
  directory.commit();
  if (pidfdSocket >= 0) sendPidfd(kernel, pidfdSocket, twin.pidfd, "standard");
  if (request.pidFile !== "") kernel.fs.replaceFileAt(AT_FDCWD, request.pidFile, String(twin.pid), 0o644, false);
  twin.resume(note);
  kernel.step?.("wait for execve");
  // The channel ends when the program has been executed; before that an error may come.
  if (!request.wait && twin.receive() !== null)
    throw new TeuError({ code: "internal", op: "start container", message: "unexpected message" });
  for (const devices of moved) devices.close();
  return known;
}

function childDied(kernel: Kernel, plan: StartPlan, twin: Twin): TeuError {
  const status = kernel.process.waitpid(twin.pid, 0);
  const limited = plan.linux.resources?.memory?.limit !== undefined;
  const killed = status?.kind === "signaled" && status.code === SIGKILL;
  return new TeuError({
    code: killed && limited ? "exhausted" : "internal",
    op: "set up container",
    message:
      killed && limited
        ? "its first process was killed: the memory limit may be too low"
        : `its first process ended (${status?.kind ?? "gone"} ${status?.code ?? 0})`,
  });
}

function endChild(kernel: Kernel, twin: Twin): void {
  try {
    kernel.process.pidfdSendSignal(twin.pidfd, SIGKILL);
    kernel.process.waitpid(twin.pid, 0);
  } catch (error) {
    if (!isSysError(error, "ESRCH") && !isSysError(error, "ECHILD")) throw error;
  }
}
