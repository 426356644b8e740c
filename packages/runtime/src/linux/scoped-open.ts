// Opening below a directory with RESOLVE_* rules: openat2(2), and where there is none the same walk by hand. None there is under a
// seccomp filter that is older than the call and answers ENOSYS or EPERM for it, as other containers' filters do.
// portable: no host types here.

import {
  AAFS_MAGIC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  PROC_ROOT_INO,
  PROC_SUPER_MAGIC,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  ST_NOSYMFOLLOW,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError, sysError } from "@teu/sys/sys-error";

/** The kernel's bound (path_resolution(7)). */
const MAX_LINKS = 40;
/** So often is a walk begun anew that somebody's renames have led out of the directory. */
const MAX_TRIES = 32;
/** No path has more names. */
const MAX_DEPTH = 4096;

type Stat = ReturnType<Kernel["fs"]["fstat"]>;

/** openat2(2) or its equal; `resolve` has RESOLVE_IN_ROOT or RESOLVE_BENEATH. Makes nothing. Throws SysErrors of "openat2". */
export function openScoped(kernel: Kernel, dirfd: number, path: string, flags: number, resolve: number): number {
  try {
    return kernel.fs.openat2(dirfd, path, flags | O_CLOEXEC, 0, resolve);
  } catch (error) {
    if (!lacksOpenat2(kernel, dirfd, error)) throw error;
    return walkBelow(kernel, dirfd, path, flags, resolve);
  }
}

/** The same; -1 for ENOENT and ENOTDIR. */
export function openScopedIfThere(kernel: Kernel, dirfd: number, path: string, flags: number, resolve: number): number {
  try {
    return kernel.fs.openIfThere(dirfd, path, flags | O_CLOEXEC, 0, resolve);
  } catch (error) {
    if (!lacksOpenat2(kernel, dirfd, error)) throw error;
  }
  try {
    return walkBelow(kernel, dirfd, path, flags, resolve);
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ENOTDIR")) return -1;
    throw error;
  }
}

/** EPERM may be the file's own answer: that of the directory itself tells. */
function lacksOpenat2({ fs }: Kernel, dirfd: number, error: unknown): boolean {
  if (isSysError(error, "ENOSYS")) return true;
  if (!isSysError(error, "EPERM")) return false;
  try {
    fs.close(fs.openat2(dirfd, ".", O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT));
    return false;
  } catch (probe) {
    return isSysError(probe, "EPERM");
  }
}

/** Never openat2. */
export function walkBelow(kernel: Kernel, dirfd: number, path: string, flags: number, resolve: number): number {
  if (path === "") throw sysError("ENOENT", "openat2", path);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const fd = new Walk(kernel, dirfd, path, flags, resolve).open();
    if (fd >= 0) return fd;
  }
  throw sysError("EAGAIN", "openat2", path);
}

/**
 * One walk: name by name, each opened as O_PATH without following it, links resolved here. The directories on the way stay open, so
 * that ".." is the one that was come from, whatever has been renamed since, and there is none above the first.
 */
class Walk {
  readonly #kernel: Kernel;
  readonly #dirfd: number;
  readonly #path: string;
  readonly #flags: number;
  readonly #resolve: number;
  /** Directories below `dirfd`, the innermost last. */
  readonly #stack: number[] = [];
  /** Names to come, the next one last. */
  readonly #names: string[];
  #links = 0;

  constructor(kernel: Kernel, dirfd: number, path: string, flags: number, resolve: number) {
    this.#kernel = kernel;
    this.#dirfd = dirfd;
    this.#path = path;
    this.#flags = flags;
    this.#resolve = resolve;
    this.#names = parts(path).reverse();
    if (path.startsWith("/")) this.#backToRoot();
  }

  /** -1: it was led out of the directory. */
  open(): number {
    let fd = -1;
    try {
      while (fd < 0) fd = this.#next();
      if (this.#isBelow()) return fd;
      this.#kernel.fs.close(fd);
      return -1;
    } catch (error) {
      if (fd >= 0) this.#kernel.fs.close(fd);
      throw error;
    } finally {
      this.#backTo(0);
    }
  }

  get #here(): number {
    return this.#stack.at(-1) ?? this.#dirfd;
  }

  /** Takes the next name; the result's fd, or -1 on the way. */
  #next(): number {
    const name = this.#names.pop() ?? ".";
    const last = this.#names.length === 0;
    if (name === "..") this.#up();
    if (name === "." || name === "..") return last ? this.#openHere() : -1;
    if (last) return this.#last(name);
    try {
      this.#enter(this.#openat(name, O_PATH | O_DIRECTORY));
    } catch (error) {
      if (!isSysError(error, "ENOTDIR")) throw error;
      this.#follow(name);
    }
    return -1;
  }

  #last(name: string): number {
    const nofollow = (this.#flags & O_NOFOLLOW) !== 0;
    if ((this.#flags & O_PATH) === 0 || (this.#flags & O_DIRECTORY) !== 0) {
      try {
        return this.#sameMount(this.#openat(name, this.#flags));
      } catch (error) {
        // What a link is answered with.
        if (nofollow || !(isSysError(error, "ELOOP") || isSysError(error, "ENOTDIR"))) throw error;
        this.#follow(name);
        return -1;
      }
    }
    const fd = this.#sameMount(this.#openat(name, O_PATH));
    if (nofollow || !this.#isLink(fd)) return fd;
    this.#kernel.fs.close(fd);
    this.#follow(name);
    return -1;
  }

  /** Puts the names of a link's goal before those to come. Throws ENOTDIR when it is no link. */
  #follow(name: string): void {
    const { fs } = this.#kernel;
    const fd = this.#openat(name, O_PATH);
    try {
      const stat = fs.fstat(fd);
      if ((stat.mode & S_IFMT) === S_IFDIR) {
        // It is another file by now: looked at once more.
        if (++this.#links > MAX_LINKS) throw this.#error("ELOOP");
        this.#names.push(name);
        return;
      }
      if ((stat.mode & S_IFMT) !== S_IFLNK) throw this.#error("ENOTDIR");
      if ((this.#resolve & RESOLVE_NO_SYMLINKS) !== 0 || ++this.#links > MAX_LINKS) throw this.#error("ELOOP");
      this.#refuseMagic(fd, stat);
      const goal = fs.readlinkAt(fd, "");
      if (goal === "") throw this.#error("ENOENT");
      if (goal.startsWith("/")) this.#backToRoot();
      this.#names.push(...parts(goal).reverse());
    } finally {
      fs.close(fd);
    }
  }

  /**
   * Magic links lead anywhere, whatever they read as. Only procfs, in the directories of processes, and AppArmor's file system have
   * them; those in a procfs's uppermost directory (self, mounts, net) are plain.
   */
  #refuseMagic(fd: number, link: Stat): void {
    const { fs } = this.#kernel;
    const { type, flags } = fs.fstatfs(fd);
    if ((flags & ST_NOSYMFOLLOW) !== 0 || type === AAFS_MAGIC) throw this.#error("ELOOP");
    if (type !== PROC_SUPER_MAGIC) return;
    const parent = fs.fstat(this.#here);
    if (parent.ino !== PROC_ROOT_INO || parent.mountId !== link.mountId) throw this.#error("ELOOP");
  }

  #openHere(): number {
    return this.#kernel.fs.openat(this.#here, ".", (this.#flags & ~O_NOFOLLOW) | O_CLOEXEC, 0);
  }

  #openat(name: string, flags: number): number {
    return this.#kernel.fs.openat(this.#here, name, flags | O_NOFOLLOW | O_CLOEXEC, 0);
  }

  #enter(fd: number): void {
    this.#stack.push(this.#sameMount(fd));
  }

  #up(): void {
    if (this.#stack.length > 0) this.#backTo(this.#stack.length - 1);
    else if ((this.#resolve & RESOLVE_IN_ROOT) === 0) throw this.#error("EXDEV");
  }

  #backToRoot(): void {
    if ((this.#resolve & RESOLVE_IN_ROOT) === 0) throw this.#error("EXDEV");
    this.#backTo(0);
  }

  #backTo(depth: number): void {
    for (const fd of this.#stack.splice(depth)) this.#kernel.fs.close(fd);
  }

  /** RESOLVE_NO_XDEV. Closes the fd when it throws. */
  #sameMount(fd: number): number {
    const { fs } = this.#kernel;
    if ((this.#resolve & RESOLVE_NO_XDEV) === 0) return fd;
    if (fs.fstat(fd).mountId === fs.fstat(this.#dirfd).mountId) return fd;
    fs.close(fd);
    throw this.#error("EXDEV");
  }

  #isLink(fd: number): boolean {
    return (this.#kernel.fs.fstat(fd).mode & S_IFMT) === S_IFLNK;
  }

  /**
   * Is the directory that the result was opened in below `dirfd` now? A directory that was moved out meanwhile is not. Found by going
   * up, not by what a procfs says of the fd: `exec` has no procfs but the container's, and a text does not tell one mount from another.
   */
  #isBelow(): boolean {
    const { fs } = this.#kernel;
    const root = fs.fstat(this.#dirfd);
    let at = this.#here;
    let stat = fs.fstat(at);
    try {
      for (let depth = 0; depth < MAX_DEPTH; depth++) {
        if (isSame(stat, root)) return true;
        const parent = fs.openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (at !== this.#here) fs.close(at);
        at = parent;
        const above = fs.fstat(at);
        // The parent of the uppermost is itself.
        if (isSame(above, stat)) return false;
        stat = above;
      }
      return false;
    } catch (error) {
      // Moved out of what is bound there: no parent, or none that may be seen.
      if (isSysError(error, "ENOENT") || isSysError(error, "EACCES")) return false;
      throw error;
    } finally {
      if (at !== this.#here) fs.close(at);
    }
  }

  #error(errno: string): Error {
    return sysError(errno, "openat2", this.#path);
  }
}

function isSame(a: Stat, b: Stat): boolean {
  return a.ino === b.ino && a.mountId === b.mountId && a.devMajor === b.devMajor && a.devMinor === b.devMinor;
}

/** The names of a path; a slash at the end is one more, ".": it takes a directory, and follows a link. */
function parts(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.length > 0 && /\/\.?$/.test(path)) names.push(".");
  return names;
}
