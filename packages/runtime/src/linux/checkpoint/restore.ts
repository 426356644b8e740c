// Makes a container again from the images of a checkpoint: prepares on the host what config.json says, lets CRIU make the processes,
// and records them as if they had been started. Undoes all of it when anything fails.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY, O_PATH, S_IFDIR, S_IFMT } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Spec } from "@teu/specs/runtime";
import { type ContainerRecord, StateDirectory, checkId } from "../../container/record.ts";
import { specState } from "../../container/status.ts";
import { type CgroupLayout, parseOwnCgroups } from "../cgroup/layout.ts";
import { type CgroupHandle, createCgroup, fillCgroup, removeCgroup } from "../cgroup/manager.ts";
import type { CgroupRecord } from "../cgroup/record.ts";
import { runHooks } from "../hooks.ts";
import { setRootReadonly } from "../hot-mounts.ts";
import { openJoins } from "../namespace-files.ts";
import { RootfsPath } from "../rootfs-path.ts";
import { type Started, firstRecord, sweep } from "../start.ts";
import { type StartPlan, planStart } from "../start-plan.ts";
import { Undo } from "../undo.ts";
import { Criu, criuFailure } from "./criu.ts";
import { CGROUP_MODES, type CriuOptions, REQUEST } from "./criu-messages.ts";
import { CRIU_IMAGES_FD, CRIU_OTHER_FDS, CRIU_WORK_FD, inOwnRoot } from "./criu-root.ts";
import { criuConfig } from "./dump.ts";
import { NAMESPACE_KEYS, externalPlaces, planJoins, restoreMounts } from "./external.ts";
import { readMounts } from "./facts.ts";
import { type Replacement, replaceStreams } from "./streams.ts";
import { type Directories, closeDirectories, openDirectories, readDescriptors } from "./images.ts";

/** Name in the state directory, while CRIU works. */
const ROOT_PLACE = "criu-root";

/** How to restore. Paths are absolute. */
export interface RestoreRequest {
  readonly id: string;
  readonly bundle: string;
  /** --root */
  readonly root: string;
  readonly spec: Spec;
  /** config.json as read. */
  readonly configText: string;
  readonly imagePath: string;
  /** "": where the images are. */
  readonly workPath: string;
  readonly pidFile: string;
  /** A socket that receives the terminal's master, or -1. */
  readonly consoleFd: number;
  /** What the flags say. */
  readonly options: Partial<CriuOptions>;
  /** CRIU; "": the one in PATH. */
  readonly program: string;
  readonly cgroups: CgroupLayout;
}

/** Restores. Throws what failed first, after undoing everything. */
export function restoreContainer(kernel: Kernel, request: RestoreRequest): Started {
  const plan = planStart(request.spec, checkId(request.id), request.bundle, { cgroups: request.cgroups });
  const joins = planJoins(plan.namespaces);
  criuConfig(request.spec.annotations ?? {});
  const undo = new Undo();
  try {
    const directories = openDirectories(kernel, request.imagePath, request.workPath, false);
    undo.push(() => closeDirectories(kernel, directories));
    const directory = StateDirectory.create(kernel, request.root, request.id, (stale) => sweep(kernel, stale));
    undo.push(() => directory.remove());
    const record = firstRecord(kernel, plan, request);
    directory.write(record);
    directory.writeConfig(request.configText);
    const cgroup = makeCgroup(kernel, plan, record, request.options.cgroupMode === CGROUP_MODES["strict"], undo);
    makeMountPoints(kernel, plan);
    const inherited: Replacement[] = [
      ...replaceStreams(kernel, readDescriptors(kernel, directories.images)),
      ...joins.inherited.flatMap((join) =>
        openJoins(kernel, [join]).map(({ fd }) => ({ key: NAMESPACE_KEYS[join.type], fd })),
      ),
    ];
    kernel.fs.mkdirAt(directory.fd, ROOT_PLACE, 0o700);
    const place = `${directory.path}/${ROOT_PLACE}`;
    const { imagePath, workPath } = request;
    const fds = inherited.map(({ fd }) => fd);
    const root = { rootfs: plan.rootfs, place, cgroup, imagePath, workPath: workPath || imagePath, fds };
    const criu = Criu.start(kernel, request.program, inOwnRoot(kernel, root));
    // CRIU has them now; here they would keep namespaces of the host alive as long as we stay.
    for (const fd of new Set(fds)) if (fd > 2) kernel.fs.close(fd);
    const restoring: Restoring = { kernel, request, plan, directory, directories, place, record, inherited, criu };
    const finished = converse(restoring, undo);
    kernel.fs.unlinkAt(directory.fd, ROOT_PLACE, AT_REMOVEDIR);
    if (request.pidFile !== "") kernel.fs.replaceFileAt(AT_FDCWD, request.pidFile, String(finished.pid), 0o644, false);
    const pidfd = kernel.process.pidfdOpen(finished.pid, 0);
    closeDirectories(kernel, directories);
    return { pid: finished.pid, pidfd, directory, record: finished, notifySocket: -1 };
  } catch (error) {
    undo.run();
    throw error;
  }
}

function makeCgroup(
  kernel: Kernel,
  plan: StartPlan,
  record: ContainerRecord,
  strict: boolean,
  undo: Undo,
): CgroupHandle {
  if (strict) refuseExisting(kernel, record.cgroup);
  const others = new Set<string>();
  const own = ({ path }: { readonly path: string }): boolean => !others.has(path);
  undo.push(() => removeCgroup(kernel, { ...record.cgroup, directories: record.cgroup.directories.filter(own) }));
  // CRIU needs root, so there is nothing to do without.
  const waiver = { rootless: false, named: true, devicesMatter: true };
  const cgroup = createCgroup(kernel, plan.cgroup, others, waiver);
  fillCgroup(kernel, cgroup, others, waiver);
  return cgroup;
}

/**
 * "strict": nothing may be there before. CRIU means its own cgroups with that, and would refuse ours, which we make for it: the promise is
 * kept here, and CRIU is asked for the rest of it ("full").
 */
function refuseExisting(kernel: Kernel, { directories }: CgroupRecord): void {
  const there = directories.find(({ path }) => kernel.fs.accessAt(AT_FDCWD, path, 0));
  if (there === undefined) return;
  throw new TeuError({
    code: "conflict",
    op: "restore container",
    subject: there.path,
    message: "this cgroup exists already, and --manage-cgroups-mode is strict",
  });
}

/** CRIU makes no mount points. Those on file systems of the container's own are in the images; the others are in the rootfs. */
function makeMountPoints(kernel: Kernel, plan: StartPlan): void {
  const { fs } = kernel;
  const fd = fs.openat(AT_FDCWD, plan.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const covered: string[] = [];
  try {
    const root = new RootfsPath(kernel, fd);
    for (const { kind, destination, source } of plan.mounts) {
      if (kind === "remount") continue;
      if (!covered.some((path) => destination.startsWith(`${path}/`))) {
        const file = kind === "bind" && (fs.statAt(AT_FDCWD, source, 0).mode & S_IFMT) !== S_IFDIR;
        fs.close(root.openTarget(destination, file ? "file" : "directory").fd);
      }
      covered.push(destination);
    }
  } finally {
    fs.close(fd);
  }
}

interface Restoring {
  readonly kernel: Kernel;
  readonly request: RestoreRequest;
  readonly plan: StartPlan;
  readonly directory: StateDirectory;
  readonly directories: Directories;
  readonly place: string;
  readonly record: ContainerRecord;
  readonly inherited: readonly Replacement[];
  readonly criu: Criu;
}

/** Lets CRIU do it, and does what is ours at the steps in between. Returns the record of the running container. */
function converse(restoring: Restoring, undo: Undo): ContainerRecord {
  const { kernel, request, plan, directory, directories, record, criu } = restoring;
  let known = record;
  const notified = (step: string, pid: number, fds: readonly number[]): void => {
    if (step === "setup-namespaces") {
      runHooks(kernel, "prestart", plan.hooks.prestart, specState(record, "created", pid));
      runHooks(kernel, "createRuntime", plan.hooks.createRuntime, specState(record, "created", pid));
    }
    if (step === "orphan-pts-master") sendMaster(kernel, request.consoleFd, fds);
    // The processes are there and do not run yet: whoever asks from now on finds a running container.
    if (step === "post-restore") {
      known = { ...record, pid, startTime: kernel.process.processStat(pid)?.startTime ?? 0 };
      undo.push(() => endProcess(kernel, pid));
      directory.write(known);
      // By the images it is writable: see readonly-root.ts.
      if (plan.readonlyRoot) setRootReadonly(kernel, known, true);
    }
  };
  const options = restoreOptions(restoring);
  try {
    const answer = criu.request(REQUEST.restore, options, notified);
    if (answer.success && known.pid !== 0) return known;
    const failed = { op: "restore container", id: request.id, type: "RESTORE", workFd: directories.work, options };
    throw criuFailure(kernel, failed, criu.version, answer);
  } finally {
    criu.end();
  }
}

function restoreOptions({ kernel, request, plan, place, inherited, criu }: Restoring): CriuOptions {
  const { entered } = planJoins(plan.namespaces);
  const recursive = plan.mounts.some(({ kind, options }) => kind === "bind" && options.recursive);
  const strict = request.options.cgroupMode === CGROUP_MODES["strict"];
  return {
    ...request.options,
    ...(strict ? { cgroupMode: CGROUP_MODES["full"] ?? 0 } : {}),
    imagesFd: CRIU_IMAGES_FD,
    workFd: CRIU_WORK_FD,
    logFile: "restore.log",
    root: place,
    restoreSibling: true,
    evasiveDevices: true,
    // A terminal of the container's own gets a new master. One of the host's, of a shell job, is replaced by ours: else CRIU would make one.
    orphanPtsMaster: request.spec.process?.terminal === true,
    configFile: criuConfig(request.spec.annotations ?? {}),
    externalMounts: restoreMounts(externalPlaces(plan), recursive ? readMounts(kernel, "self") : []),
    inheritedFds: inherited.map(({ key }, index) => ({ key, fd: CRIU_OTHER_FDS + index })),
    joinedNamespaces: entered,
    cgroupRoots: plan.cgroup.kind === "none" ? [] : cgroupRoots(kernel, criu.pid),
  };
}

/** CRIU is in the container's cgroup already: what its own is called is what the restored processes' is to be called. */
function cgroupRoots(kernel: Kernel, pid: number): { readonly controller: string; readonly path: string }[] {
  const text = kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/cgroup`, 1 << 20);
  return parseOwnCgroups(text).flatMap(([controllers, path]) =>
    controllers.split(",").map((controller) => ({ controller, path })),
  );
}

function sendMaster(kernel: Kernel, consoleFd: number, [master]: readonly number[]): void {
  if (consoleFd < 0 || master === undefined) {
    throw new TeuError({
      code: "invalid",
      op: "restore terminal",
      message: "the container has a terminal, but config.json says process.terminal false",
    });
  }
  kernel.socket.sendMessage(consoleFd, kernel.host.utf8Encode("/dev/console"), [master]);
}

function endProcess(kernel: Kernel, pid: number): void {
  try {
    kernel.process.kill(pid, SIGKILL);
    kernel.process.waitpid(pid, 0);
  } catch (error) {
    if (!isSysError(error, "ESRCH") && !isSysError(error, "ECHILD")) throw error;
  }
}
