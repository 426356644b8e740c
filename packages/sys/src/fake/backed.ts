// Directories of the fake kernel that show the real ones, read when they are looked at and never written: for --explain.
// portable: no host types here.

import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  TMPFS_MAGIC,
} from "../constants/fs.ts";
import type { Kernel } from "../kernel.ts";
import { isSysError } from "../sys-error.ts";
import { Inode, decode } from "./inode.ts";

const LIMIT = 64 << 20;

/** The real `path` as an inode; null when there is nothing that we may see. */
export function backedInode(real: Kernel, path: string): Inode | null {
  let stat: ReturnType<Kernel["fs"]["fstat"]>;
  try {
    stat = real.fs.statAt(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (isSysError(error)) return null;
    throw error;
  }
  const type = stat.mode & S_IFMT;
  const inode = new Inode(
    stat.mode,
    TMPFS_MAGIC,
    type === S_IFDIR ? directoryOps(real, path) : type === S_IFREG ? { read: () => readReal(real, path) } : {},
  );
  Object.assign(inode, { uid: stat.uid, gid: stat.gid, major: stat.rdevMajor, minor: stat.rdevMinor });
  if (type === S_IFLNK) inode.goal = real.fs.readlinkAt(AT_FDCWD, path);
  return inode;
}

function readReal(real: Kernel, path: string): string {
  const fd = real.fs.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  try {
    return decode(real.fs.read(fd, LIMIT));
  } finally {
    real.fs.close(fd);
  }
}

function directoryOps(real: Kernel, path: string): Inode["ops"] {
  const below = (name: string): string => `${path === "/" ? "" : path}/${name}`;
  return {
    lookup: (name) => backedInode(real, below(name)),
    names: () => {
      const fd = real.fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
      try {
        return real.fs.readDir(fd).map(({ name }) => name);
      } finally {
        real.fs.close(fd);
      }
    },
  };
}
