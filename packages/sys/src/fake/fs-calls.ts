// sys:fs of the fake kernel.
// portable: no host types here.

import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  LOCK_NB,
  LOCK_UN,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  STATX_ATTR_MOUNT_ROOT,
} from "../constants/fs.ts";
import type { Kernel } from "../kernel.ts";
import { isSysError, sysError } from "../sys-error.ts";
import { type Inode, decode, device, directory, encode, fifo, file, symlink } from "./inode.ts";
import { find, isMagic, walk } from "./lookup.ts";
import { type Location, type OpenFile, type World, openFile } from "./world.ts";

type Fs = Kernel["fs"];

/** All of sys:fs on a world. */
export function fsCalls(world: World): Fs {
  return { ...descriptorCalls(world), ...duplicationCalls(world), ...pathCalls(world), ...namingCalls(world) };
}

/** Writes to a located file: window, FIFO or plain. */
export function writeTo(world: World, open: OpenFile, data: Uint8Array, call: string): number {
  if (open.outgoing !== null) {
    open.outgoing.push({ data, files: [] });
    return data.length;
  }
  const inode = open.location?.inode;
  if (inode === undefined) throw sysError("EBADF", call, "");
  if (inode.type === S_IFIFO) {
    inode.queue.push(data);
    wakeReaders(world, inode);
    return data.length;
  }
  if (inode.ops.write !== undefined) inode.ops.write(decode(data));
  else if (inode.ops.read !== undefined) throw sysError("EACCES", call, "");
  else {
    if ((open.flags & O_APPEND) !== 0) open.offset = inode.data.length;
    const merged = new Uint8Array(Math.max(inode.data.length, open.offset + data.length));
    merged.set(inode.data);
    merged.set(data, open.offset);
    inode.data = merged;
    open.offset += data.length;
  }
  return data.length;
}

/** A process that waits for this FIFO goes on. */
function wakeReaders(world: World, inode: Inode): void {
  for (const [pid, resume] of [...world.parked]) {
    const process = world.processes.get(pid);
    if (process === undefined || ![...process.fds.values()].some(({ file: one }) => one.location?.inode === inode))
      continue;
    world.parked.delete(pid);
    resume();
  }
}

function readFrom(open: OpenFile, count: number, call: string): Uint8Array {
  if (open.kind === "socket" || open.kind === "pipe") {
    const message = open.incoming.shift();
    return message === undefined ? new Uint8Array(0) : message.data.slice(0, count);
  }
  const inode = open.location?.inode;
  if (inode === undefined) throw sysError("EBADF", call, "");
  if (inode.isDirectory) throw sysError("EISDIR", call, "");
  if (inode.type === S_IFIFO) return inode.queue.shift() ?? new Uint8Array(0);
  const data = content(inode);
  const part = data.slice(open.offset, open.offset + count);
  open.offset += part.length;
  return part;
}

function content(inode: Inode): Uint8Array {
  return inode.ops.read === undefined ? inode.data : encode(inode.ops.read());
}

function statOf({ mount, inode }: Location): ReturnType<Fs["fstat"]> {
  return {
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    size: inode.ops.read === undefined ? inode.data.length : 0,
    ino: inode.number,
    nlink: 1,
    devMajor: 0,
    devMinor: 0,
    rdevMajor: inode.major,
    rdevMinor: inode.minor,
    mtimeNs: 0n,
    ctimeNs: 0n,
    mountId: mount.root.number,
    attributes: inode === mount.root ? STATX_ATTR_MOUNT_ROOT : 0,
  };
}

function open(
  world: World,
  dirfd: number,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
  call: string,
): number {
  if (path === "") throw sysError("ENOENT", call, path);
  const follow = (flags & O_NOFOLLOW) === 0 && (flags & (O_CREAT | O_EXCL)) !== (O_CREAT | O_EXCL);
  const found = walk(world, dirfd, path, follow, resolve, call);
  let { location } = found;
  if (location === null) {
    if ((flags & O_CREAT) === 0) throw sysError("ENOENT", call, path);
    if (found.parent.mount.attributes & 1) throw sysError("EROFS", call, path);
    const inode = found.parent.inode.add(found.name, file(found.parent.inode.magic, mode & ~world.self.umask));
    location = { mount: found.parent.mount, inode };
  } else if ((flags & (O_CREAT | O_EXCL)) === (O_CREAT | O_EXCL)) throw sysError("EEXIST", call, path);
  const { inode } = location;
  if ((flags & O_DIRECTORY) !== 0 && !inode.isDirectory) throw sysError("ENOTDIR", call, path);
  if (inode.type === S_IFLNK && !(isMagic(inode) && follow)) {
    if ((resolve & RESOLVE_NO_SYMLINKS) !== 0 && (flags & O_NOFOLLOW) === 0) throw sysError("ELOOP", call, path);
    if ((flags & O_PATH) === 0) throw sysError("ELOOP", call, path);
  }
  if (inode.isDirectory && (flags & (O_WRONLY | O_RDWR)) !== 0 && (flags & O_PATH) === 0)
    throw sysError("EISDIR", call, path);
  if (inode.type === S_IFIFO && (flags & O_WRONLY) !== 0 && (flags & O_NONBLOCK) !== 0 && !hasReader(world, inode))
    throw sysError("ENXIO", call, path);
  if ((flags & O_TRUNC) !== 0 && inode.type === S_IFREG) inode.data = new Uint8Array(0);
  return world.install(openFile("file", { location, flags }));
}

function hasReader(world: World, inode: Inode): boolean {
  return [...world.processes.values()].some((process) =>
    [...process.fds.values()].some(
      ({ file: one }) => one.location?.inode === inode && (one.flags & (O_WRONLY | O_PATH)) === 0,
    ),
  );
}

function descriptorCalls(world: World) {
  return {
    openIfThere: (dirfd: number, path: string, flags: number, mode: number, resolve: number) => {
      try {
        return open(world, dirfd, path, flags, mode, resolve, "openat2");
      } catch (error) {
        if (isSysError(error, "ENOENT") || isSysError(error, "ENOTDIR")) return -1;
        throw error;
      }
    },
    openat2: (dirfd: number, path: string, flags: number, mode: number, resolve: number) =>
      open(world, dirfd, path, flags, mode, resolve, "openat2"),
    openat: (dirfd: number, path: string, flags: number, mode: number) =>
      open(world, dirfd, path, flags, mode, 0, "openat"),
    close: (fd: number) => {
      world.file(fd, "close");
      world.self.fds.delete(fd);
    },
    closeRange: (first: number, last: number, flags: number) => {
      for (const [fd, entry] of [...world.self.fds]) {
        if (fd < first || fd > last) continue;
        if (flags === 4) entry.cloexec = true;
        else world.self.fds.delete(fd);
      }
    },
    read: (fd: number, count: number) => readFrom(world.file(fd, "read"), count, "read"),
    pread: (fd: number, count: number, offset: number) =>
      content(world.located(fd, "pread64").inode).slice(offset, offset + count),
    write: (fd: number, data: Uint8Array | string) =>
      writeTo(world, world.file(fd, "write"), typeof data === "string" ? encode(data) : data, "write"),
    writeSome: (fd: number, data: Uint8Array) => writeTo(world, world.file(fd, "write"), data, "write"),
    pwrite: (fd: number, data: Uint8Array, offset: number) => {
      const opened = world.file(fd, "pwrite64");
      opened.offset = offset;
      return writeTo(world, opened, data, "pwrite64");
    },
    lseek: (fd: number, offset: number, whence: number) => {
      const opened = world.file(fd, "lseek");
      opened.offset =
        whence === 0
          ? offset
          : whence === 1
            ? opened.offset + offset
            : (opened.location?.inode.data.length ?? 0) + offset;
      return opened.offset;
    },
    fstat: (fd: number) => statOf(world.located(fd, "statx")),
    fstatfs: (fd: number) => {
      const { mount, inode } = world.located(fd, "fstatfs");
      return { type: inode.magic, flags: mount.attributes, blockSize: 4096, blocks: 0, blocksFree: 0 };
    },
    fchmod: (fd: number, mode: number) => void setMode(world.located(fd, "fchmod").inode, mode),
    fchown: (fd: number, uid: number, gid: number) =>
      void Object.assign(world.located(fd, "fchown").inode, { uid, gid }),
    ftruncate: (fd: number, size: number) => void (world.located(fd, "ftruncate").inode.data = new Uint8Array(size)),
    fsync: (fd: number) => void world.file(fd, "fsync"),
    flock: (fd: number, operation: number) => lock(world, fd, operation),
    readDir: (fd: number) => {
      const { inode } = world.located(fd, "getdents64");
      for (const name of inode.ops.names?.() ?? []) inode.child(name);
      return [...inode.entries].map(([name, child]) => ({ name, type: child.type >> 12 }));
    },
  } satisfies Partial<Fs>;
}

/** Calls that make or copy descriptors. */
function duplicationCalls(world: World) {
  return {
    memfdCreate: (name: string) =>
      world.install(
        openFile("file", {
          location: { mount: world.rootMount, inode: file(0, 0o600, "") },
          flags: O_RDWR,
          options: new Map([["name", name]]),
        }),
      ),
    addSeals: (fd: number) => void world.file(fd, "fcntl"),
    pipe2: (): [number, number] => {
      const queue: OpenFile["incoming"] = [];
      return [
        world.install(openFile("pipe", { incoming: queue })),
        world.install(openFile("pipe", { outgoing: queue })),
      ];
    },
    dup: (fd: number, min: number) => world.install(world.file(fd, "fcntl"), true, min),
    dup3: (fd: number, to: number, cloexec: boolean) =>
      void world.self.fds.set(to, { file: world.file(fd, "dup3"), cloexec }),
    setCloexec: (fd: number, on: boolean) => {
      const entry = world.self.fds.get(fd);
      if (entry === undefined) throw sysError("EBADF", "fcntl", String(fd));
      entry.cloexec = on;
    },
    setNonblock: (fd: number) => void world.file(fd, "fcntl"),
    copy: (from: number, to: number, count: number) => {
      const data = readFrom(world.file(from, "copy_file_range"), count, "copy_file_range");
      return writeTo(world, world.file(to, "copy_file_range"), data, "copy_file_range");
    },
  } satisfies Partial<Fs>;
}

function lock(world: World, fd: number, operation: number): void {
  const mine = world.file(fd, "flock");
  if ((operation & LOCK_UN) !== 0) {
    mine.locked = false;
    return;
  }
  const inode = mine.location?.inode;
  for (const process of world.processes.values()) {
    for (const { file: other } of process.fds.values()) {
      if (other === mine || !other.locked || other.location?.inode !== inode) continue;
      // A fake kernel has nobody who could let go while we wait.
      throw sysError((operation & LOCK_NB) === 0 ? "EDEADLK" : "EAGAIN", "flock", String(fd));
    }
  }
  mine.locked = true;
}

function setMode(inode: Inode, mode: number): void {
  inode.mode = (inode.mode & S_IFMT) | (mode & 0o7777);
}

function pathCalls(world: World) {
  return {
    readTextAt: (dirfd: number, path: string, limit: number) => {
      const { inode } = find(world, dirfd, path, true, "openat");
      if (inode.isDirectory) throw sysError("EISDIR", "read", path);
      const data = content(inode);
      if (data.length > limit) throw sysError("EFBIG", "read", path);
      return decode(data);
    },
    writeTextAt: (dirfd: number, path: string, text: string) => {
      const location = find(world, dirfd, path, true, "openat");
      writeTo(world, openFile("file", { location, flags: O_WRONLY }), encode(text), "write");
    },
    ownerAt: (dirfd: number, path: string) => find(world, dirfd, path, true, "statx").inode.uid,
    statAt: (dirfd: number, path: string, flags: number) =>
      statOf(
        path === ""
          ? world.located(dirfd, "statx")
          : find(world, dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, "statx"),
      ),
    accessAt: (dirfd: number, path: string, mode: number) => {
      try {
        const { inode } = find(world, dirfd, path, true, "faccessat2");
        return mode !== 1 || inode.isDirectory || (inode.mode & 0o111) !== 0;
      } catch (error) {
        const { errno } = error as { errno?: string };
        if (errno === "ENOENT" || errno === "ENOTDIR") return false;
        throw error;
      }
    },
    filesystemType: (path: string) => {
      try {
        return find(world, AT_FDCWD, path, true, "statfs").inode.magic;
      } catch (error) {
        if (isSysError(error, "ENOENT") || isSysError(error, "ENOTDIR")) return 0;
        throw error;
      }
    },
    readlinkAt: (dirfd: number, path: string) => {
      const { inode } = find(world, dirfd, path, false, "readlinkat");
      if (inode.type !== S_IFLNK) throw sysError("EINVAL", "readlinkat", path);
      return inode.goal;
    },
    chmodAt: (dirfd: number, path: string, mode: number) =>
      void setMode(find(world, dirfd, path, true, "fchmodat").inode, mode),
    chownAt: (dirfd: number, path: string, uid: number, gid: number, flags: number) =>
      void Object.assign(find(world, dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, "fchownat").inode, { uid, gid }),
    getxattr: (path: string) => {
      throw sysError("ENODATA", "getxattr", path);
    },
    setxattr: (path: string) => void find(world, -100, path, true, "setxattr"),
    fsetxattr: (fd: number) => void world.located(fd, "fsetxattr"),
  } satisfies Partial<Fs>;
}

function namingCalls(world: World) {
  const make = (dirfd: number, path: string, call: string, inode: () => Inode): void => {
    const { location, parent, name } = walk(world, dirfd, path, false, 0, call);
    if (location !== null) throw sysError("EEXIST", call, path);
    if ((parent.mount.attributes & 1) !== 0) throw sysError("EROFS", call, path);
    parent.inode.add(name, inode());
  };
  const parentMagic = (dirfd: number, path: string, call: string): Inode =>
    walk(world, dirfd, path, false, 0, call).parent.inode;
  return {
    mkdirAt: (dirfd: number, path: string, mode: number) =>
      make(dirfd, path, "mkdirat", () => {
        const parent = parentMagic(dirfd, path, "mkdirat");
        const made = parent.ops.mkdir?.(path.slice(path.lastIndexOf("/") + 1)) ?? directory(parent.magic);
        made.mode = S_IFDIR | (mode & ~world.self.umask);
        return made;
      }),
    mknodAt: (dirfd: number, path: string, mode: number, major: number, minor: number) =>
      make(dirfd, path, "mknodat", () => {
        const made =
          (mode & S_IFMT) === S_IFREG || (mode & S_IFMT) === 0 ? file(0, 0) : device(0, mode & S_IFMT, major, minor);
        setMode(made, mode & ~world.self.umask);
        return made;
      }),
    mkfifoAt: (dirfd: number, path: string, mode: number) =>
      make(dirfd, path, "mkfifoat", () => fifo(0, mode & ~world.self.umask)),
    symlinkAt: (target: string, dirfd: number, path: string) =>
      make(dirfd, path, "symlinkat", () => symlink(0, target)),
    linkAt: (fromFd: number, from: string, toFd: number, to: string) => {
      const { inode } = find(world, fromFd, from, false, "linkat");
      make(toFd, to, "linkat", () => inode);
    },
    unlinkAt: (dirfd: number, path: string, flags: number) => {
      const { location, parent, name } = walk(world, dirfd, path, false, 0, "unlinkat");
      if (location === null) throw sysError("ENOENT", "unlinkat", path);
      const { inode } = location;
      if ((flags & AT_REMOVEDIR) === 0) {
        if (inode.isDirectory) throw sysError("EISDIR", "unlinkat", path);
      } else if (!inode.isDirectory) throw sysError("ENOTDIR", "unlinkat", path);
      else if (location.mount !== parent.mount) throw sysError("EBUSY", "unlinkat", path);
      else {
        const refusal = inode.ops.rmdir?.() ?? (inode.entries.size > 0 ? "ENOTEMPTY" : "");
        if (refusal !== "") throw sysError(refusal, "unlinkat", path);
      }
      parent.inode.entries.delete(name);
    },
    renameAt: (fromFd: number, from: string, toFd: number, to: string) => {
      const source = walk(world, fromFd, from, false, 0, "renameat2");
      if (source.location === null) throw sysError("ENOENT", "renameat2", from);
      const target = walk(world, toFd, to, false, 0, "renameat2");
      source.parent.inode.entries.delete(source.name);
      target.parent.inode.add(target.name, source.location.inode);
    },
    removeTree: (dirfd: number, path: string) => {
      const { location, parent, name } = walk(world, dirfd, path, false, 0, "openat");
      if (location !== null) parent.inode.entries.delete(name);
    },
    replaceFileAt: (dirfd: number, path: string, data: Uint8Array | string, mode: number) => {
      const { parent, name } = walk(world, dirfd, path, false, 0, "openat");
      const made = file(parent.inode.magic, mode);
      made.data = typeof data === "string" ? encode(data) : data;
      parent.inode.add(name, made);
    },
  } satisfies Partial<Fs>;
}
