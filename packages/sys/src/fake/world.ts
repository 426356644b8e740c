// The state of the fake kernel: mounts, processes, open files. Calls on it are in the *-calls.ts files.
// portable: no host types here.

import { TMPFS_MAGIC } from "../constants/fs.ts";
import { sysError } from "../sys-error.ts";
import { type Inode, directory } from "./inode.ts";
import type { FakeLink } from "./route.ts";

/** A mount: attached when it has a parent or is a namespace's root. */
export class Mount {
  readonly root: Inode;
  readonly fstype: string;
  parent: Mount | null = null;
  point: Inode | null = null;
  /** What is mounted on inodes of this mount. */
  readonly children: Map<Inode, Mount> = new Map();
  attributes = 0;
  propagation = 0;

  constructor(root: Inode, fstype: string) {
    this.root = root;
    this.fstype = fstype;
  }

  /** A copy with or without all below it. */
  clone(recursive: boolean, map: Map<Mount, Mount> = new Map()): Mount {
    const copy = new Mount(this.root, this.fstype);
    copy.attributes = this.attributes;
    copy.propagation = this.propagation;
    map.set(this, copy);
    if (recursive) for (const [point, child] of this.children) copy.attach(point, child.clone(true, map));
    return copy;
  }

  /** Mounts `child` on an inode of this mount. */
  attach(point: Inode, child: Mount): void {
    this.children.set(point, child);
    child.parent = this;
    child.point = point;
  }
}

/** Where something is: an inode as seen through a mount. */
export interface Location {
  readonly mount: Mount;
  readonly inode: Inode;
}

/** An open file description; shared by duplicated and inherited fds. */
export interface OpenFile {
  readonly kind: "file" | "pidfd" | "socket" | "pipe" | "epoll" | "signalfd" | "timerfd" | "context" | "other";
  readonly location: Location | null;
  readonly flags: number;
  offset: number;
  locked: boolean;
  /** pidfd: the process. socket and pipe: the queue read from, and the one written to. context: what is being configured. */
  readonly pid: number;
  readonly incoming: Message[];
  readonly outgoing: Message[] | null;
  readonly options: Map<string, string>;
}

/** A message of a socket or a piece in a pipe. */
export interface Message {
  readonly data: Uint8Array;
  readonly files: readonly OpenFile[];
}

/** One process. */
export interface FakeProcess {
  readonly pid: number;
  ppid: number;
  /** "zombie": ended, not waited for. */
  state: "running" | "zombie";
  exitCode: number;
  exitSignal: number;
  startTime: number;
  /** Signals that it ignores. */
  ignored: ReadonlySet<number>;
  root: Location;
  cwd: Location;
  fds: Map<number, { readonly file: OpenFile; cloexec: boolean }>;
  uid: number;
  gid: number;
  groups: readonly number[];
  umask: number;
  effective: ReadonlySet<number>;
  permitted: ReadonlySet<number>;
  inheritable: ReadonlySet<number>;
  bounding: ReadonlySet<number>;
  ambient: ReadonlySet<number>;
  noNewPrivileges: boolean;
  dumpable: boolean;
  seccomp: number;
  /** Kind of namespace to an id. */
  namespaces: Record<string, number>;
  rlimits: Map<number, { soft: number; hard: number }>;
  hostname: string;
  oomScoreAdj: number;
  idMaps: Map<string, string>;
  /** Hierarchy (controllers) to path of the cgroup. */
  cgroups: Map<string, string>;
  /** What it became by execve. */
  program: { readonly path: string; readonly argv: readonly string[]; readonly env: readonly string[] } | null;
}

/** Everything. */
export class World {
  readonly processes: Map<number, FakeProcess> = new Map();
  /** Network devices but lo, of all network namespaces. */
  readonly links: FakeLink[] = [];
  readonly rootMount: Mount = new Mount(directory(TMPFS_MAGIC), "ext4");
  /** Who acts. */
  current = 100;
  nextPid = 101;
  nextNamespace = 4_026_531_900;
  clock = 1_700_000_000_000_000_000n;
  /** Paths of frozen cgroups of v1's freezer. */
  readonly frozen: Set<string> = new Set();
  /** Waiting children of `Simulation.park`. */
  readonly parked: Map<number, () => void> = new Map();

  get self(): FakeProcess {
    return this.process(this.current, "self");
  }

  /** Throws ESRCH. */
  process(pid: number, call: string): FakeProcess {
    const found = this.processes.get(pid === 0 ? this.current : pid);
    if (found === undefined) throw sysError("ESRCH", call, String(pid));
    return found;
  }

  /** As in /proc/PID/stat: what v1's freezer holds shows as D. */
  letterOf({ state, cgroups }: FakeProcess): string {
    if (state === "zombie") return "Z";
    const cgroup = cgroups.get("freezer");
    return cgroup !== undefined && this.frozen.has(cgroup) ? "D" : "S";
  }

  /** The open file behind an fd of the acting process. Throws EBADF. */
  file(fd: number, call: string): OpenFile {
    const found = this.self.fds.get(fd);
    if (found === undefined) throw sysError("EBADF", call, String(fd));
    return found.file;
  }

  /** The location behind an fd. Throws EBADF. */
  located(fd: number, call: string): Location {
    const { location } = this.file(fd, call);
    if (location === null) throw sysError("EBADF", call, String(fd));
    return location;
  }

  /** Lowest free fd from `min`. */
  install(file: OpenFile, cloexec = true, min = 0): number {
    const { fds } = this.self;
    let fd = min;
    while (fds.has(fd)) fd++;
    fds.set(fd, { file, cloexec });
    return fd;
  }

  /** Ends a process: its fds close, its parent may wait for it. */
  end(process: FakeProcess, code: number, signal: number): void {
    if (process.state === "zombie") return;
    process.state = "zombie";
    process.exitCode = code;
    process.exitSignal = signal;
    process.fds.clear();
    this.parked.delete(process.pid);
  }
}

/** A fresh open file. */
export function openFile(kind: OpenFile["kind"], more: Partial<OpenFile> = {}): OpenFile {
  return {
    kind,
    location: null,
    flags: 0,
    offset: 0,
    locked: false,
    pid: 0,
    incoming: [],
    outgoing: null,
    options: new Map(),
    ...more,
  };
}
