// tmpcopyup: fills a new tmpfs with what the image holds at its destination. Walks by fd, follows no symlink, crosses no mount.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { RootfsPath } from "./rootfs-path.ts";

const MAX_DEPTH = 128;

/** Copies directories, files and links; nodes and sockets are left out. `tree` is the detached tmpfs, whose own mode stays when `keepMode`. */
export function copyUp(kernel: Kernel, root: RootfsPath, path: string, tree: number, keepMode: boolean): void {
  const { fs } = kernel;
  const from = root.open(path, O_RDONLY | O_DIRECTORY);
  try {
    const to = fs.openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    try {
      const stat = fs.fstat(from);
      fs.fchown(to, stat.uid, stat.gid);
      if (!keepMode) fs.fchmod(to, stat.mode & 0o7777);
      copyEntries(kernel, from, to, stat.mountId, MAX_DEPTH);
    } finally {
      fs.close(to);
    }
  } finally {
    fs.close(from);
  }
}

function copyEntries(kernel: Kernel, from: number, to: number, mountId: number, depth: number): void {
  if (depth === 0)
    throw new TeuError({ code: "exhausted", op: "copy up", message: `directories nested deeper than ${MAX_DEPTH}` });
  for (const { name } of kernel.fs.readDir(from)) copyEntry(kernel, from, to, name, mountId, depth);
}

function copyEntry(kernel: Kernel, from: number, to: number, name: string, mountId: number, depth: number): void {
  const { fs } = kernel;
  const stat = fs.statAt(from, name, AT_SYMLINK_NOFOLLOW);
  const type = stat.mode & S_IFMT;
  if (type === S_IFLNK) {
    fs.symlinkAt(fs.readlinkAt(from, name), to, name);
    fs.chownAt(to, name, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW);
    return;
  }
  if (type !== S_IFREG && type !== S_IFDIR) return;
  const directory = type === S_IFDIR;
  const kind = directory ? O_DIRECTORY : 0;
  // Somebody may put a FIFO there by now; it must not block us.
  const source = fs.openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | kind, 0);
  if (directory) fs.mkdirAt(to, name, 0o700);
  const target = fs.openat(
    to,
    name,
    (directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL) | O_NOFOLLOW | O_CLOEXEC,
    0o600,
  );
  try {
    if (!directory) fs.copy(source, target, stat.size);
    else if (fs.fstat(source).mountId === mountId) copyEntries(kernel, source, target, mountId, depth - 1);
    fs.chownAt(target, "", stat.uid, stat.gid, AT_EMPTY_PATH);
    fs.fchmod(target, stat.mode & 0o7777);
  } finally {
    fs.close(target);
    fs.close(source);
  }
}
