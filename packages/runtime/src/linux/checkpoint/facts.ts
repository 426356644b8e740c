// What a running container looks like from outside, as a checkpoint must know it: where its mounts really are, what its standard
// streams are, which namespaces it shares.
// portable: no host types here.

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  S_IFCHR,
  S_IFMT,
  STATX_ATTR_MOUNT_ROOT,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { RootfsPath } from "../rootfs-path.ts";

const LIMIT = 64 << 20;
/** Unix98 terminals; the table of the kernel's Documentation/admin-guide/devices.txt. */
const TTY_MAJORS: ReadonlySet<number> = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143]);

/** A line of mountinfo, see proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly id: number;
  /** What of the file system is mounted: "/null" of a devtmpfs. */
  readonly root: string;
  readonly point: string;
}

/** One of fds 0, 1 and 2 of the container's first process. */
export interface StandardStream {
  /** "pipe:[123]", "/dev/null", "socket:[5]"; "" when closed. */
  readonly goal: string;
  /** Set for a file that is not on a mount of the container: CRIU's name for it, "file[MOUNT:INODE]" in hexadecimal. */
  readonly external: string;
  /** st_mode of such a file; CRIU insists on it. */
  readonly mode: number;
}

/** Reads a process's mounts. */
export function readMounts(kernel: Kernel, pid: number | "self"): MountEntry[] {
  return parseMountinfo(kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/mountinfo`, LIMIT));
}

/** The lines of mountinfo. */
export function parseMountinfo(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [id = "", , , root = "", point = ""] = line.split(" ");
    return point === "" ? [] : [{ id: Number(id), root: unescape(root), point: unescape(point) }];
  });
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** For each path inside the container that is a mount point now: its mount. Links are followed inside the container. */
export function mountsAt(
  kernel: Kernel,
  pid: number,
  entries: readonly MountEntry[],
  paths: Iterable<string>,
): Map<string, MountEntry> {
  const { fs } = kernel;
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const fd = fs.openat(AT_FDCWD, `/proc/${pid}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  const out = new Map<string, MountEntry>();
  try {
    const root = new RootfsPath(kernel, fd);
    for (const path of paths) {
      const found = root.find(path);
      if (found === null) continue;
      const { attributes, mountId } = fs.statAt(found, "", AT_EMPTY_PATH);
      fs.close(found);
      const entry = byId.get(mountId);
      if (entry !== undefined && (attributes & STATX_ATTR_MOUNT_ROOT) !== 0) out.set(path, entry);
    }
    return out;
  } finally {
    fs.close(fd);
  }
}

/** The standard streams of `pid`. */
export function standardStreams(kernel: Kernel, pid: number, entries: readonly MountEntry[]): StandardStream[] {
  const own = new Set(entries.map(({ id }) => id));
  return [0, 1, 2].map((fd) => {
    try {
      return standardStream(kernel, pid, fd, own);
    } catch (error) {
      if (isSysError(error, "ENOENT")) return { goal: "", external: "", mode: 0 };
      throw error;
    }
  });
}

/** CRIU looks for a file's mount among the container's, and gives up when it is the host's. Terminals it treats in a way of its own. */
function standardStream(kernel: Kernel, pid: number, fd: number, own: ReadonlySet<number>): StandardStream {
  const { fs } = kernel;
  const goal = fs.readlinkAt(AT_FDCWD, `/proc/${pid}/fd/${fd}`);
  const inside = { goal, external: "", mode: 0 };
  if (!goal.startsWith("/")) return inside;
  const info = fs.readTextAt(AT_FDCWD, `/proc/${pid}/fdinfo/${fd}`, 1 << 16);
  const mount = Number(/^mnt_id:\s*(\d+)$/m.exec(info)?.[1] ?? 0);
  const { mode, rdevMajor, ino } = fs.statAt(AT_FDCWD, `/proc/${pid}/fd/${fd}`, 0);
  if (own.has(mount) || ((mode & S_IFMT) === S_IFCHR && TTY_MAJORS.has(rdevMajor))) return inside;
  return { goal, mode, external: `file[${mount.toString(16)}:${ino.toString(16)}]` };
}

/** The inode number of a process's namespace, which names it for CRIU. */
export function namespaceInode(kernel: Kernel, pid: number, file: string): number {
  return kernel.fs.statAt(AT_FDCWD, `/proc/${pid}/ns/${file}`, 0).ino;
}
