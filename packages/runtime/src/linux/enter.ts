// Puts a new process into a running container: its cgroup, its namespaces through init's pidfd, and then what every process of a
// container becomes. Nothing is mounted and no path of the container is used from outside.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWPID, CLONE_NEWTIME, PR_SET_DUMPABLE, SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import type { NamespaceType, Process, Spec } from "@teu/specs/runtime";
import type { ContainerRecord } from "../container/record.ts";
import { specState } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { become, execute } from "./become.ts";
import { joinCgroup } from "./cgroup/manager.ts";
import { cgroupDirectory } from "./cgroup/record.ts";
import { adoptConsole, connectConsoleSocket, openConsole, sendConsole } from "./console.ts";
import { joinKeyring } from "./keyring.ts";
import { openInit } from "./kill-container.ts";
import { NAMESPACE_FLAGS } from "./namespaces.ts";
import { type ProcessPlan, planProcess } from "./process-plan.ts";
import { RootfsPath } from "./rootfs-path.ts";
import { type SeccompPlan, prepareSeccomp } from "./seccomp.ts";
import { connectAgent, sendNotify } from "./seccomp-notify.ts";
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
  readonly consoleSocket: number;
  readonly notifySocket: number;
}

/** Starts the process; the pidfd is the caller's to close. Throws what kept it from running. */
export function enterContainer(kernel: Kernel, request: EnterRequest): { pid: number; pidfd: number } {
  const { record, spec } = request;
  const plan = planProcess(request.process, spec.linux ?? {}, "process");
  const seccomp = spec.linux?.seccomp === undefined ? null : prepareSeccomp(kernel, request.root, spec.linux.seccomp);
  const init = openInit(kernel, record);
  if (init === null) throw verbatim("conflict", "cannot exec in a stopped container");
  const prepared: Prepared = {
    request,
    plan,
    seccomp,
    init,
    flags: foreignNamespaces(kernel, record),
    newUser: record.namespaces.includes("user"),
    consoleSocket:
      request.consoleSocket === "" ? request.consoleFd : connectConsoleSocket(kernel, request.consoleSocket),
    notifySocket: connectAgent(kernel, seccomp),
  };
  const twin = clone(kernel, prepared);
  try {
    if (plan.oomScoreAdj !== null)
      kernel.fs.writeTextAt(AT_FDCWD, `/proc/${twin.pid}/oom_score_adj`, String(plan.oomScoreAdj));
    if (twin.receive() === null)
      throw new TeuError({ code: "internal", op: "enter container", message: "the new process ended" });
    if (request.pidFile !== "") kernel.fs.replaceFileAt(AT_FDCWD, request.pidFile, String(twin.pid), 0o644, false);
    twin.resume();
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
  const names: Readonly<Record<NamespaceType, string>> = {
    user: "user",
    pid: "pid",
    network: "net",
    mount: "mnt",
    ipc: "ipc",
    uts: "uts",
    cgroup: "cgroup",
    time: "time",
  };
  let flags = 0;
  for (const type of record.namespaces) {
    const file = names[type];
    const own = kernel.fs.readlinkAt(AT_FDCWD, `/proc/self/ns/${file}`);
    if (kernel.fs.readlinkAt(AT_FDCWD, `/proc/${record.pid}/ns/${file}`) !== own) flags |= NAMESPACE_FLAGS[type];
  }
  return flags;
}

function clone(kernel: Kernel, prepared: Prepared): Twin {
  const { namespace, fs } = kernel;
  kernel.process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const unified = cgroupDirectory(prepared.request.record.cgroup, "");
  const cgroupFd = unified === null ? -1 : fs.openat(AT_FDCWD, unified, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  // A pid (or time) namespace is entered by children only.
  const forChildren = prepared.flags & (CLONE_NEWPID | CLONE_NEWTIME);
  if (forChildren !== 0) namespace.setns(prepared.init, forChildren);
  const passed = Array.from({ length: prepared.request.preserveFds }, (_, index) => 3 + index);
  const keep = [prepared.init, prepared.consoleSocket, prepared.notifySocket, ...passed];
  return Twin.start(kernel, { flags: 0, ...(cgroupFd >= 0 ? { cgroupFd } : {}) }, keep, (channel) =>
    enterChild(kernel, prepared, channel),
  );
}

function* enterChild(kernel: Kernel, prepared: Prepared, channel: ChildChannel): Generator<ChildMessage, void, void> {
  const { process, fs } = kernel;
  const { plan, seccomp, request } = prepared;
  joinCgroup(kernel, request.record.cgroup);
  process.setsid();
  const inside = prepared.flags & ~(CLONE_NEWPID | CLONE_NEWTIME);
  if (inside !== 0) kernel.namespace.setns(prepared.init, inside);
  if (prepared.newUser) {
    process.setresgid(0, 0, 0);
    process.setresuid(0, 0, 0);
  }
  joinKeyring(kernel, request.record.id);
  if (plan.terminal) {
    const root = fs.openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    const console = openConsole(kernel, new RootfsPath(kernel, root), plan.consoleSize);
    sendConsole(kernel, prepared.consoleSocket, console);
    adoptConsole(kernel, console);
    for (const fd of [console.master, console.peer, root]) fs.close(fd);
  }
  const notify = (fd: number): void =>
    sendNotify(kernel, prepared.notifySocket, fd, seccomp, specState(request.record, "running", channel.hostPid));
  const program = become(kernel, plan, seccomp, request.preserveFds, notify);
  yield { step: "ready" };
  execute(kernel, program, plan, seccomp, notify);
}
