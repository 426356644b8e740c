// The child's half of a start: from just after clone3 to execve. What the parent does meanwhile is in start.ts.
// docs/design/start-sequence.md draws both.
// portable: no host types here.

import { CLONE_NEWCGROUP, CLONE_NEWIPC, PR_SET_DUMPABLE } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import type { State } from "@teu/specs/runtime";
import { become, execute } from "./become.ts";
import { type CgroupHandle, cgroupRecord, joinCgroup, withoutDirectories } from "./cgroup/manager.ts";
import { closingLater } from "./close-later.ts";
import { adoptConsole, openConsole, sendConsole } from "./console.ts";
import { bindOver } from "./devices.ts";
import { type HookSinks, runHooks } from "./hooks.ts";
import { firstId } from "./id-maps.ts";
import { joinKeyring } from "./keyring.ts";
import { raiseLoopback } from "./loopback.ts";
import { applyMount } from "./mount-apply.ts";
import { maskPaths, openNull, readonlyPaths } from "./masks.ts";
import { type MountStep, labelData } from "./mount-plan.ts";
import { type OpenJoin, enterJoins, enterNewTime } from "./namespace-files.ts";
import { type NetDevice, setUpNetDevices } from "./net-devices.ts";
import { setOomScore } from "./oom-score.ts";
import { changeRoot, fillRoot, openRoot, sealDev } from "./rootfs.ts";
import type { RootfsPath } from "./rootfs-path.ts";
import type { SeccompPlan } from "./seccomp.ts";
import type { StartPlan } from "./start-plan.ts";
import { resetIfTold } from "./signals.ts";
import { applySysctl } from "./sysctl.ts";
import type { ChildChannel, ChildMessage } from "./twin.ts";

/** What the parent prepared; all fds are inherited. -1: not there. */
export interface ChildEnvironment {
  readonly plan: StartPlan;
  readonly seccomp: SeccompPlan | null;
  readonly cgroup: CgroupHandle;
  readonly joins: readonly OpenJoin[];
  readonly opened: ReadonlyMap<MountStep, number>;
  /** The host's mount namespace, to go back to. */
  readonly hostMount: number;
  /** To be moved into this container's network namespace. */
  readonly netDevices: readonly NetDevice[];
  /** The host's procfs, for labels. */
  readonly labelsFd: number;
  readonly consoleSocket: number;
  /** Of the seccomp agent; the parent's, not inherited. */
  readonly notifySocket: number;
  /** FIFOs of a created container: it reads the first, and writes an error to the second. */
  readonly startFifo: number;
  readonly resultFifo: number;
  /** Inherited fds from 3 up that the program gets. */
  readonly keepFds: number;
  readonly newKeyring: boolean;
  /**
   * A runtime with less than the host's root: its own files in /proc belong to that root, not to it, while it is not dumpable. Only
   * known where it matters: with a new user namespace, or an OOM score to set.
   */
  readonly lesser: boolean;
  readonly noPivot: boolean;
  /** Of the hooks that run here. */
  readonly hookSinks: HookSinks;
  /** For hooks and agents. */
  readonly state: (status: State["status"], pid: number) => State;
}

/** The child's program. */
export function* startChild(
  kernel: Kernel,
  environment: ChildEnvironment,
  channel: ChildChannel,
): Generator<ChildMessage, void, void> {
  const { plan, seccomp } = environment;
  const late = joinsCgroupsLate(plan);
  kernel.step?.("cgroups, namespaces, loopback, keyring");
  let cgroup = late ? environment.cgroup : yield* enterCgroups(kernel, environment, channel);
  yield* enterNamespaces(kernel, environment);
  kernel.step?.("root");
  const later = closingLater(kernel);
  const root = openRoot(later.kernel, plan);
  const nullFd = plan.maskedPaths.length > 0 ? openNull(kernel) : -1;
  const { newCgroup, has } = plan.namespaces;
  const mounting = {
    root,
    cgroup,
    cgroupNamespace: newCgroup,
    networkNamespace: has.has("network"),
    opened: environment.opened,
  };
  const [first, rest] = late ? aroundCgroups(plan.mounts) : [[], plan.mounts];
  kernel.step?.("mounts");
  for (const step of first) applyMount(later.kernel, step, mounting);
  kernel.step?.("cgroups, cgroup namespace");
  if (late) cgroup = yield* enterCgroups(kernel, environment, channel);
  unshareCgroups(kernel, plan);
  kernel.step?.("mounts from the first that shows cgroups");
  for (const step of rest) applyMount(later.kernel, step, { ...mounting, cgroup });
  kernel.step?.("devices, links");
  fillRoot(later.kernel, plan, root);
  if (needsHookPause(plan)) {
    yield { step: "hooks" };
    resetIfTold(kernel, channel);
  }
  runHooks(
    kernel,
    "createContainer",
    plan.hooks.createContainer,
    environment.state("created", channel.hostPid),
    environment.hookSinks,
  );
  kernel.step?.("terminal, read-only and masked paths");
  setUpConsole(kernel, environment, root);
  sealDev(later.kernel, plan, root);
  readonlyPaths(later.kernel, root, plan.readonlyPaths);
  maskPaths(later.kernel, root, plan.maskedPaths, nullFd, labelData(plan.linux.mountLabel ?? ""));
  later.closeAll();
  kernel.step?.(environment.hostMount < 0 ? "pivot_root" : "back to the host's mount namespace, chroot");
  changeRoot(kernel, plan, root, environment.noPivot, environment.hostMount);
  kernel.step?.("names, sysctl, limits, user, capabilities");
  if (plan.hostname !== "") kernel.process.sethostname(plan.hostname);
  if (plan.domainname !== "") kernel.process.setdomainname(plan.domainname);
  applySysctl(kernel, plan.sysctl);
  const program = yield* become(kernel, plan.process, seccomp, environment.keepFds, environment.labelsFd);
  kernel.step?.("wait for the parent, or for start");
  yield { step: "ready" };
  resetIfTold(kernel, channel);
  waitForStart(kernel, environment, channel);
  runHooks(
    kernel,
    "startContainer",
    plan.hooks.startContainer,
    environment.state("created", channel.hostPid),
    environment.hookSinks,
  );
  kernel.step?.("filter, execve");
  execute(kernel, program, plan.process, seccomp);
}

/** Must the parent run hooks while the root is made and not yet entered? */
export function needsHookPause(plan: StartPlan): boolean {
  const { prestart, createRuntime, createContainer } = plan.hooks;
  return [prestart, createRuntime, createContainer].some((hooks) => (hooks ?? []).length > 0);
}

/**
 * The parent makes the v1 cgroups while this process makes its root, so it joins as late as it can: before the first mount that
 * shows them. Not when it would have lost the right to (user namespace) or the sight of them (mount namespace joined) by then, nor
 * when there is something else to wait for before: the parent answers this first.
 */
function joinsCgroupsLate({ namespaces, netDevices }: StartPlan): boolean {
  return (
    netDevices.length === 0 &&
    !namespaces.has.has("user") &&
    namespaces.joinsInside.every(({ type }) => type !== "cgroup" && type !== "mount")
  );
}

function aroundCgroups(mounts: readonly MountStep[]): [readonly MountStep[], readonly MountStep[]] {
  const at = mounts.findIndex((step) => step.kind === "cgroup");
  return at < 0 ? [mounts, []] : [mounts.slice(0, at), mounts.slice(at)];
}

/** Joins them once they are there; returns what there is, which may be less than was planned (see cgroup/waive.ts). */
function* enterCgroups(
  kernel: Kernel,
  { cgroup }: ChildEnvironment,
  channel: ChildChannel,
): Generator<ChildMessage, CgroupHandle, void> {
  if (cgroup.plan.kind !== "legacy") return cgroup;
  yield { step: "cgroups" };
  const refused = channel.note === "" ? [] : (JSON.parse(channel.note) as string[]);
  const made = withoutDirectories(cgroup, refused);
  joinCgroup(kernel, cgroupRecord(made.plan));
  return made;
}

/** The cgroup that it is in by now becomes the namespace's root. */
function unshareCgroups(kernel: Kernel, { namespaces }: StartPlan): void {
  if (namespaces.newCgroup) kernel.namespace.unshare(CLONE_NEWCGROUP);
}

function* enterNamespaces(kernel: Kernel, environment: ChildEnvironment): Generator<ChildMessage, void, void> {
  const { plan, joins, newKeyring, lesser } = environment;
  const { process } = kernel;
  const { namespaces, linux } = plan;
  // While nobody else is inside: what is joined comes after.
  if (lesser) process.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (lesser && plan.process.oomScoreAdj !== null) setOomScore(kernel, "self", plan.process.oomScoreAdj);
  // Root of a new namespace exists only once the parent has written the maps.
  if (namespaces.newUser) yield { step: "maps" };
  if (namespaces.has.has("user")) {
    const gid = firstId(linux.gidMappings, plan.process.gid);
    const uid = firstId(linux.uidMappings, plan.process.uid);
    process.setresgid(gid, gid, gid);
    process.setresuid(uid, uid, uid);
  }
  if (namespaces.ipcInside) kernel.namespace.unshare(CLONE_NEWIPC);
  if (makesTimeInside(environment)) {
    // A change of user takes it back.
    process.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    enterNewTime(kernel, linux);
  }
  if (lesser) process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  process.setsid();
  enterJoins(kernel, joins);
  if (namespaces.newNetwork) raiseLoopback(kernel);
  if (environment.netDevices.length > 0) {
    yield { step: "devices" };
    setUpNetDevices(kernel, environment.netDevices);
  }
  if (newKeyring) joinKeyring(kernel, plan.id);
}

/** Must the child make its time namespace? When its parent may not: the user namespace that owns it is the child's. */
export function makesTimeInside({ plan, lesser }: Pick<ChildEnvironment, "plan" | "lesser">): boolean {
  return lesser && plan.namespaces.newUser && plan.namespaces.newTime;
}

function setUpConsole(kernel: Kernel, { plan, consoleSocket }: ChildEnvironment, root: RootfsPath): void {
  if (!plan.process.terminal) return;
  const console = openConsole(kernel, root, plan.process.consoleSize);
  bindOver(kernel, root, "console", console.peer);
  sendConsole(kernel, consoleSocket, console);
  adoptConsole(kernel, console);
  kernel.fs.close(console.master);
  kernel.fs.close(console.peer);
}

function waitForStart(kernel: Kernel, { startFifo, resultFifo }: ChildEnvironment, channel: ChildChannel): void {
  if (startFifo < 0) return;
  channel.errorFd = resultFifo;
  kernel.fs.read(startFifo, 1);
}
