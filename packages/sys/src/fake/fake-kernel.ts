// A kernel in memory with the whole `Kernel` contract: for unit tests without root, golden transcripts, and --explain.
// What it models: file trees with symlinks, mounts and openat2; processes, fds, credentials, namespaces; cgroup and proc files.
// What it does not: time, scheduling, permissions of files, and the effects of limits and filters.
// portable: no host types here.

import { DEVPTS_SUPER_MAGIC, S_IFCHR, SYSFS_MAGIC, TMPFS_MAGIC } from "../constants/fs.ts";
import type { Kernel } from "../kernel.ts";
import { sysError } from "../sys-error.ts";
import { backedInode } from "./backed.ts";
import { bpfCalls, hostCalls, pollCalls, seccompCalls, socketCalls, terminalCalls } from "./device-calls.ts";
import { fsCalls } from "./fs-calls.ts";
import { type Inode, device, directory, file, symlink } from "./inode.ts";
import { find } from "./lookup.ts";
import { mountCalls, namespaceCalls } from "./mount-calls.ts";
import { ProcessEnd, type Programs, capabilityCalls, processCalls } from "./process-calls.ts";
import { cgroupRoot, procRoot, addPath } from "./windows.ts";
import { type FakeProcess, type Location, type Message, Mount, World, openFile } from "./world.ts";

/** What kind of host to be. */
export interface FakeOptions {
  /** Hierarchies by controllers: ["memory", "cpu,cpuacct", "name=systemd", ""]; [""] alone is cgroup v2; [] none. Default: v1 with v2 beside it. */
  readonly cgroups?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  /** Executables by path: exit status, or undefined for one that runs on. Unlisted ones end at once with 0. */
  readonly programs?: Programs;
  /** Unix sockets that accept connections. */
  readonly listeners?: readonly string[];
  /** The first process's user and group: 0. Rights are not modelled: `refuse` says what it may not do. */
  readonly uid?: number;
  readonly gid?: number;
  /** Asked before each call ("fs.mkdirAt" and its arguments): the errno to fail with, or "". */
  readonly refuse?: (call: string, args: readonly unknown[], world: World) => string;
  /** Show the files of this kernel's host, read-only, instead of an empty tree. */
  readonly backing?: Kernel;
}

/** The kernel and what tests look at. */
export interface FakeKernel {
  readonly kernel: Kernel;
  readonly world: World;
  readonly out: readonly string[];
  readonly err: readonly string[];
  /** What was sent to each of `listeners`. */
  readonly sent: ReadonlyMap<string, readonly Message[]>;
  /** Makes the `nth` (from 1) next call of "module.function" fail. */
  failOn(call: string, nth: number, errno: string): void;
  /** Writes a file with its directories into the host's tree. */
  writeFile(path: string, text: string, mode?: number): void;
  makeDirectory(path: string): void;
  makeLink(path: string, goal: string): void;
  exists(path: string): boolean;
  /** fds of the first process, and paths of cgroups, that were not there at the start: what must be empty after a command. */
  leaks(): { readonly fds: readonly number[]; readonly cgroups: readonly string[] };
}

/** Controllers of a machine with every v1 controller alone and an empty v2 beside them. */
export const HYBRID_CGROUPS: readonly string[] = [
  "name=systemd",
  "pids",
  "blkio",
  "freezer",
  "devices",
  "memory",
  "cpuset",
  "cpuacct",
  "cpu",
  "",
];

const PROC_PATHS: readonly string[] = [
  "acpi",
  "bus",
  "fs",
  "irq",
  "scsi",
  "kcore=",
  "keys=",
  "timer_list=",
  "sysrq-trigger=",
  "sys/net/ipv4/ip_forward=",
  "sys/net/ipv4/ping_group_range=",
  "sys/kernel/shmmax=",
  "sys/kernel/domainname=",
  "uptime=",
  "cpuinfo=",
];
const HOST_DEVICES: readonly (readonly [string, number, number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];
const SYS_PATHS: readonly string[] = ["firmware", "fs/cgroup", "devices/virtual/powercap"];

/** What id maps say outside of any user namespace. */
const INITIAL_MAP = "         0          0 4294967295\n";

/** Makes one. The acting process is root's, pid 100, with all capabilities. */
export function createFakeKernel(options: FakeOptions = {}): FakeKernel {
  const world = new World();
  const out: string[] = [];
  const err: string[] = [];
  const sent = new Map<string, Message[]>();
  const hierarchies = options.cgroups ?? HYBRID_CGROUPS;
  const host =
    options.backing === undefined
      ? directory(TMPFS_MAGIC)
      : (backedInode(options.backing, "/") ?? directory(TMPFS_MAGIC));
  const rootMount = new Mount(host, "ext4");
  const origin: Location = { mount: rootMount, inode: host };
  world.processes.set(world.current, firstProcess(world, origin, hierarchies));
  const roots = new Map(hierarchies.map((controllers) => [controllers, cgroupRoot(world, controllers)]));
  const proc = (): Inode => procRoot(world, PROC_PATHS);
  mountHost(rootMount, host, hierarchies, roots, proc());
  const failures = new Map<string, { left: number; errno: string }[]>();
  const calls = {
    fs: fsCalls(world),
    mount: mountCalls(world, {
      proc,
      sysfs: sysRoot,
      cgroup: (controllers) => roots.get(controllers) ?? roots.get(`name=${controllers}`) ?? directory(0),
    }),
    namespace: namespaceCalls(world),
    process: processCalls(world, options.programs ?? new Map(), options.args ?? [], options.env ?? []),
    capability: capabilityCalls(world),
    socket: socketCalls(world, new Set(options.listeners ?? []), sent),
    terminal: terminalCalls(world),
    poll: pollCalls(world),
    seccomp: seccompCalls(world),
    bpf: bpfCalls(world),
    host: hostCalls(world, out, err),
  };
  Object.assign(world.self, { uid: options.uid ?? 0, gid: options.gid ?? 0 });
  const refuse = (call: string, args: readonly unknown[]): string => options.refuse?.(call, args, world) ?? "";
  const kernel: Kernel = { ...withFailures(calls, failures, refuse), simulation: simulationOf(world) };
  if (options.cwd !== undefined) world.self.cwd = find(world, -100, options.cwd, true, "chdir");
  return {
    kernel,
    world,
    out,
    err,
    sent,
    failOn: (call, nth, errno) => void failures.set(call, [...(failures.get(call) ?? []), { left: nth, errno }]),
    writeFile: (path, text, mode = 0o644) => void parentOf(host, path).add(nameOf(path), file(TMPFS_MAGIC, mode, text)),
    makeDirectory: (path) => void parentOf(host, `${path}/x`),
    makeLink: (path, goal) => void parentOf(host, path).add(nameOf(path), symlink(TMPFS_MAGIC, goal)),
    exists: (path) => calls.fs.accessAt(-100, path, 0),
    leaks: () => ({
      fds: [...(world.processes.get(100)?.fds.keys() ?? [])].filter((fd) => fd > 2),
      cgroups: [...roots].flatMap(([controllers, root]) =>
        [...root.entries].filter(([, child]) => child.isDirectory).map(([name]) => `${controllers}:${name}`),
      ),
    }),
  };
}

function simulationOf(world: World): NonNullable<Kernel["simulation"]> {
  return {
    enter: (pid) => {
      const before = world.current;
      world.current = pid;
      return before;
    },
    isEnd: (error) => error instanceof ProcessEnd,
    park: (pid, resume) => {
      if (resume === null) world.parked.delete(pid);
      else world.parked.set(pid, resume);
    },
  };
}

function firstProcess(world: World, origin: Location, hierarchies: readonly string[]): FakeProcess {
  const all = new Set(Array.from({ length: 41 }, (_, index) => index));
  const standard = new Map([0, 1, 2].map((fd) => [fd, { file: openFile("other", { outgoing: [] }), cloexec: false }]));
  return {
    pid: world.current,
    ppid: 1,
    state: "running",
    exitCode: 0,
    exitSignal: 0,
    startTime: 1000,
    ignored: new Set(),
    root: origin,
    cwd: origin,
    fds: standard,
    uid: 0,
    gid: 0,
    groups: [],
    umask: 0o022,
    effective: all,
    permitted: all,
    inheritable: new Set(),
    bounding: all,
    ambient: new Set(),
    noNewPrivileges: false,
    dumpable: true,
    seccomp: 0,
    namespaces: {},
    rlimits: new Map(),
    hostname: "host",
    oomScoreAdj: 0,
    idMaps: new Map([
      ["uid_map", INITIAL_MAP],
      ["gid_map", INITIAL_MAP],
      ["setgroups", "allow\n"],
    ]),
    cgroups: new Map(hierarchies.map((controllers) => [controllers, "/"])),
    program: null,
  };
}

function mountHost(
  rootMount: Mount,
  host: Inode,
  hierarchies: readonly string[],
  roots: ReadonlyMap<string, Inode>,
  proc: Inode,
): void {
  const place = (path: string): Inode => {
    let at = host;
    for (const name of path.split("/")) at = at.child(name) ?? at.add(name, directory(TMPFS_MAGIC));
    return at;
  };
  rootMount.attach(place("proc"), new Mount(proc, "proc"));
  const dev = directory(TMPFS_MAGIC);
  for (const [name, major, minor] of HOST_DEVICES) dev.add(name, device(TMPFS_MAGIC, S_IFCHR, major, minor));
  dev.add("pts", directory(DEVPTS_SUPER_MAGIC));
  rootMount.attach(place("dev"), new Mount(dev, "devtmpfs"));
  const sys = new Mount(sysRoot(), "sysfs");
  rootMount.attach(place("sys"), sys);
  const point = sys.root.child("fs")?.child("cgroup");
  if (point === null || point === undefined) return;
  const only = hierarchies.length === 1 && hierarchies[0] === "" ? roots.get("") : undefined;
  const base = new Mount(only ?? directory(TMPFS_MAGIC), only === undefined ? "tmpfs" : "cgroup2");
  sys.attach(point, base);
  if (only !== undefined) return;
  for (const [controllers, root] of roots) {
    const name = controllers === "" ? "unified" : controllers.replace(/^name=/, "");
    base.attach(
      base.root.add(name, directory(TMPFS_MAGIC)),
      new Mount(root, controllers === "" ? "cgroup2" : "cgroup"),
    );
  }
}

function sysRoot(): Inode {
  const root = directory(SYSFS_MAGIC);
  for (const path of SYS_PATHS) addPath(root, path);
  return root;
}

function parentOf(host: Inode, path: string): Inode {
  let at = host;
  for (const name of path.split("/").slice(1, -1)) at = at.child(name) ?? at.add(name, directory(TMPFS_MAGIC));
  return at;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

type Modules = Omit<Kernel, "simulation">;

function withFailures(
  modules: Modules,
  failures: Map<string, { left: number; errno: string }[]>,
  refuse: (call: string, args: readonly unknown[]) => string,
): Modules {
  const wrap = (module: string, functions: object): object =>
    Object.fromEntries(
      Object.entries(functions).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
        name,
        (...args: unknown[]): unknown => {
          const subject = args.find((arg) => typeof arg === "string") ?? "";
          const errno = refuse(`${module}.${name}`, args);
          if (errno !== "") throw sysError(errno, name, subject);
          for (const failure of failures.get(`${module}.${name}`) ?? []) {
            if (--failure.left === 0) throw sysError(failure.errno, name, subject);
          }
          return call(...args);
        },
      ]),
    );
  return Object.fromEntries(
    Object.entries(modules).map(([name, functions]) => [name, wrap(name, functions)]),
  ) as unknown as Modules;
}
