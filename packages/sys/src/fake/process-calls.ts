// sys:process and sys:capability of the fake kernel.
// portable: no host types here.

import { CLONE_PARENT, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, SIGKILL, WNOHANG } from "../constants/process.ts";
import type { Kernel } from "../kernel.ts";
import { sysError } from "../sys-error.ts";
import { find, pathOf } from "./lookup.ts";
import { NAMESPACE_NAMES, newNamespaces } from "./mount-calls.ts";
import { type FakeProcess, type World, openFile } from "./world.ts";

/** How programs behave when executed: exit status, or undefined for one that goes on running. By path. */
export type Programs = ReadonlyMap<string, number | undefined>;

/** Thrown where the real call would not return. */
export class ProcessEnd extends Error {}

const LAST_CAPABILITY = 40;

/** sys:process. `argv` and `env` are those of this program. */
export function processCalls(
  world: World,
  programs: Programs,
  argv: readonly string[],
  env: readonly string[],
): Kernel["process"] {
  const ids = idCalls(world);
  return {
    ...ids,
    ...plainCalls(world),
    clone3: ({ flags, cgroupFd }) => {
      const child = fork(world, world.self);
      if ((flags & CLONE_PARENT) !== 0) child.ppid = world.self.ppid;
      newNamespaces(world, child, flags);
      if (cgroupFd !== undefined) child.cgroups.set("", cgroupPathOf(world, cgroupFd));
      return { pid: child.pid, pidfd: world.install(openFile("pidfd", { pid: child.pid })) };
    },
    spawn: ({ path, argv: words, env: variables, fds }) => {
      find(world, -100, path, true, "execve");
      const child = fork(world, world.self);
      child.fds = new Map(
        fds.flatMap((fd, index) => (fd < 0 ? [] : [[index, { file: world.file(fd, "spawn"), cloexec: false }]])),
      );
      become(world, child, path, words, variables, programs);
      return { pid: child.pid, pidfd: world.install(openFile("pidfd", { pid: child.pid })) };
    },
    execveat: (dirfd, path, words, variables) => {
      find(world, dirfd, path, true, "execve");
      become(world, world.self, path, words, variables, programs);
      throw new ProcessEnd(path);
    },
    exit: (code) => {
      world.end(world.self, code, 0);
      throw new ProcessEnd(`exit ${code}`);
    },
    waitpid: (pid, options) => reap(world, pid, options),
    kill: (pid, signal) => deliver(world, world.process(pid, "kill"), signal),
    pidfdOpen: (pid) => {
      world.process(pid, "pidfd_open");
      return world.install(openFile("pidfd", { pid }));
    },
    pidfdGetfd: (pidfd, fd) => {
      const found = world.process(world.file(pidfd, "pidfd_getfd").pid, "pidfd_getfd").fds.get(fd);
      if (found === undefined) throw sysError("EBADF", "pidfd_getfd", String(fd));
      return world.install(found.file);
    },
    pidfdSendSignal: (pidfd, signal) => {
      const { pid } = world.file(pidfd, "pidfd_send_signal");
      deliver(world, world.process(pid, "pidfd_send_signal"), signal);
    },
    args: () => [...argv],
    environ: () => [...env],
    programName: () => "teu-runtime",
    machine: () => "x86_64",
    imageSealed: () => true,
    uname: () => ({
      sysname: "Linux",
      nodename: world.self.hostname,
      release: "6.18.0",
      version: "#1",
      machine: "x86_64",
    }),
  };
}

function fork(world: World, parent: FakeProcess): FakeProcess {
  const pid = world.nextPid++;
  const child: FakeProcess = {
    ...parent,
    pid,
    ppid: parent.pid,
    startTime: 1000 + pid,
    fds: new Map([...parent.fds].map(([fd, entry]) => [fd, { ...entry }])),
    namespaces: { ...parent.namespaces },
    rlimits: new Map(parent.rlimits),
    cgroups: new Map(parent.cgroups),
    idMaps: new Map(parent.idMaps),
    program: null,
  };
  world.processes.set(pid, child);
  return child;
}

function become(
  world: World,
  process: FakeProcess,
  path: string,
  argv: readonly string[],
  env: readonly string[],
  programs: Programs,
): void {
  for (const [fd, { cloexec }] of [...process.fds]) if (cloexec) process.fds.delete(fd);
  process.program = { path, argv, env };
  process.dumpable = true;
  if (!programs.has(path)) world.end(process, 0, 0);
  else {
    const status = programs.get(path);
    if (status !== undefined) world.end(process, status, 0);
  }
}

function deliver(world: World, process: FakeProcess, signal: number): void {
  if (process.state === "zombie") throw sysError("ESRCH", "kill", String(process.pid));
  if (signal === 0 || [17, 18, 23, 28].includes(signal)) return;
  world.end(process, 0, signal);
  // The first process of a pid namespace takes the others with it.
  for (const other of world.processes.values()) {
    if (
      other.namespaces["pid"] === process.namespaces["pid"] &&
      other.pid > process.pid &&
      process.namespaces["pid"] !== 0
    ) {
      if (isFirst(world, process)) world.end(other, 0, SIGKILL);
    }
  }
}

function isFirst(world: World, process: FakeProcess): boolean {
  return world.processes.get(process.ppid)?.namespaces["pid"] !== process.namespaces["pid"];
}

function reap(world: World, pid: number, options: number): ReturnType<Kernel["process"]["waitpid"]> {
  const children = [...world.processes.values()].filter(
    (one) => one.ppid === world.current && (pid === -1 || one.pid === pid),
  );
  if (children.length === 0) throw sysError("ECHILD", "wait4", String(pid));
  const ended = children.find((one) => one.state === "zombie");
  if (ended === undefined) {
    if ((options & WNOHANG) !== 0) return null;
    throw sysError("EDEADLK", "wait4", String(pid));
  }
  world.processes.delete(ended.pid);
  return ended.exitSignal > 0
    ? { pid: ended.pid, kind: "signaled", code: ended.exitSignal }
    : { pid: ended.pid, kind: "exited", code: ended.exitCode };
}

function cgroupPathOf(world: World, fd: number): string {
  const { mount, inode } = world.located(fd, "clone3");
  return pathOf({ mount, inode: mount.root }, { mount, inode });
}

function idCalls(world: World) {
  return {
    processStat: (pid: number) => {
      const found = world.processes.get(pid);
      if (found === undefined) return null;
      const { ppid: parent, startTime, ignored } = found;
      return { letter: world.letterOf(found), parent, startTime, deaf: [...ignored].some((one) => one < 32) };
    },
    getpid: () => world.self.pid,
    getppid: () => world.self.ppid,
    getuid: () => world.self.uid,
    geteuid: () => world.self.uid,
    getgid: () => world.self.gid,
    getegid: () => world.self.gid,
    setresuid: (uid: number) => void (world.self.uid = uid),
    setresgid: (gid: number) => void (world.self.gid = gid),
    setgroups: (groups: readonly number[]) => void (world.self.groups = groups),
    getgroups: () => [...world.self.groups],
  };
}

function plainCalls(world: World) {
  const none = (): void => {};
  return {
    setsid: () => world.current,
    setpgid: none,
    umask: (mask: number) => {
      const before = world.self.umask;
      world.self.umask = mask;
      return before;
    },
    chdir: (path: string) => void (world.self.cwd = directoryAt(world, path)),
    fchdir: (fd: number) => void (world.self.cwd = world.located(fd, "fchdir")),
    chroot: (path: string) => void (world.self.root = directoryAt(world, path)),
    getcwd: () => pathOf(world.self.root, world.self.cwd),
    prctl: (option: number, value: number) => {
      if (option === PR_SET_NO_NEW_PRIVS) world.self.noNewPrivileges = true;
      if (option === PR_SET_DUMPABLE) world.self.dumpable = value === 1;
      return 0;
    },
    setTitle: none,
    setrlimit: (pid: number, resource: number, soft: number, hard: number) =>
      void world.process(pid, "prlimit64").rlimits.set(resource, { soft, hard }),
    getrlimit: (pid: number, resource: number) =>
      world.process(pid, "prlimit64").rlimits.get(resource) ?? { soft: -1, hard: -1 },
    setSignalMask: none,
    resetSignals: () => void (world.self.ignored = new Set()),
    ignoreSignal: (signal: number) => void (world.self.ignored = new Set([...world.self.ignored, signal])),
    personality: () => 0,
    sethostname: (name: string) => void (world.self.hostname = name),
    setdomainname: none,
    setpriority: none,
    ioprioSet: none,
    schedSetattr: none,
    schedSetaffinity: none,
    setMempolicy: none,
    joinSessionKeyring: () => 1,
    setKeyPermissions: none,
  };
}

function directoryAt(world: World, path: string): FakeProcess["cwd"] {
  const location = find(world, -100, path, true, "chdir");
  if (!location.inode.isDirectory) throw sysError("ENOTDIR", "chdir", path);
  return location;
}

/** sys:capability. */
export function capabilityCalls(world: World): Kernel["capability"] {
  const known = (capability: number): void => {
    if (capability > LAST_CAPABILITY) throw sysError("EINVAL", "prctl", String(capability));
  };
  return {
    capget: (pid) => {
      const { effective, permitted, inheritable } = world.process(pid, "capget");
      return { effective: [...effective], permitted: [...permitted], inheritable: [...inheritable] };
    },
    capset: ({ effective, permitted, inheritable }) => {
      if (permitted.some((one) => !world.self.permitted.has(one))) throw sysError("EPERM", "capset", "");
      Object.assign(world.self, {
        effective: new Set(effective),
        permitted: new Set(permitted),
        inheritable: new Set(inheritable),
      });
    },
    boundingDrop: (capability) => {
      known(capability);
      world.self.bounding = new Set([...world.self.bounding].filter((one) => one !== capability));
    },
    boundingHas: (capability) => {
      known(capability);
      return world.self.bounding.has(capability);
    },
    ambientRaise: (capability) => {
      if (!world.self.permitted.has(capability) || !world.self.inheritable.has(capability))
        throw sysError("EPERM", "prctl", String(capability));
      world.self.ambient = new Set([...world.self.ambient, capability]);
    },
    ambientClear: () => void (world.self.ambient = new Set()),
    ambientHas: (capability) => world.self.ambient.has(capability),
    boundingKeepOnly: (keep) => {
      world.self.bounding = new Set([...world.self.bounding].filter((one) => keep.includes(one)));
    },
  };
}

/** Names of namespaces, for /proc/PID/ns. */
export const NAMESPACE_FILES: readonly string[] = NAMESPACE_NAMES.map(([, name]) => name);
