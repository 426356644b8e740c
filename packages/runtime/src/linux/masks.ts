// maskedPaths and readonlyPaths (runtime-spec, "Masked Paths", "Readonly Paths").
// What covers a file is our own /dev/null, checked to be 1:3 (CVE-2025-31133: the container's may be a symlink or gone);
// directories are covered by one empty read-only tmpfs. Only a missing masked path is passed over.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
} from "@teu/sys/constants/fs";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { attach, newFilesystem, setReadonly } from "./mount-tree.ts";
import type { RootfsPath } from "./rootfs-path.ts";

/** Opens the host's /dev/null and checks that it is one. Must happen before the root is changed. Caller closes. */
export function openNull(kernel: Kernel): number {
  const { fs } = kernel;
  const fd = fs.openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  const stat = fs.fstat(fd);
  if ((stat.mode & S_IFMT) !== S_IFCHR || stat.rdevMajor !== 1 || stat.rdevMinor !== 3) {
    fs.close(fd);
    throw new TeuError({ code: "denied", op: "use", subject: "/dev/null", message: "is not the null device (1:3)" });
  }
  return fd;
}

/** Covers each path. Runs while the host's tree is still mounted in this namespace, so that `nullFd` can be copied. `data`: for the empty tmpfs. */
export function maskPaths(
  kernel: Kernel,
  root: RootfsPath,
  paths: readonly string[],
  nullFd: number,
  data: readonly string[],
): void {
  let empty = -1;
  try {
    for (const path of paths) {
      const target = root.find(path);
      if (target === null) continue;
      const verify = verifier(kernel, root, path);
      try {
        if ((kernel.fs.fstat(target).mode & S_IFMT) === S_IFDIR)
          empty = maskDirectory(kernel, target, empty, data, verify);
        else attachCopy(kernel, nullFd, target, verify);
      } catch (error) {
        throw new TeuError({ code: "internal", op: "mask path", subject: path, message: "mount failed", cause: error });
      } finally {
        kernel.fs.close(target);
      }
    }
  } finally {
    if (empty >= 0) kernel.fs.close(empty);
  }
}

/** The first one is the tmpfs itself, later ones are copies of it: a detached mount cannot be copied before Linux 6.15. */
function maskDirectory(kernel: Kernel, target: number, empty: number, data: readonly string[], verify: Verify): number {
  if (empty >= 0) {
    attachCopy(kernel, empty, target, verify);
    return empty;
  }
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const tree = newFilesystem(kernel, "tmpfs", "tmpfs", ["ro"], ["nr_blocks=1", "nr_inodes=1", ...data], attributes);
  attach(kernel, tree, target);
  verify(tree);
  return tree;
}

function attachCopy(kernel: Kernel, from: number, target: number, verify: Verify): void {
  const copy = kernel.mount.openTree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  try {
    attach(kernel, copy, target);
    verify(copy);
  } finally {
    kernel.fs.close(copy);
  }
}

/** Throws `denied` unless the mount, which was just attached, is what the path shows. */
type Verify = (tree: number) => void;

/**
 * A name of a volume that others can write may be exchanged between our look and the mount, which then covers something else. In the
 * file systems of the kernel, which nobody has but this container, names stay what they are: nothing to look at.
 */
function verifier(kernel: Kernel, root: RootfsPath, path: string): Verify {
  if (/^\/(proc|sys)\//.test(path)) return () => {};
  const { fs } = kernel;
  return (tree) => {
    const { mountId } = fs.fstat(tree);
    const found = root.find(path);
    if (found === null) throw replaced(path);
    try {
      if (fs.fstat(found).mountId !== mountId) throw replaced(path);
    } finally {
      fs.close(found);
    }
  };
}

function replaced(path: string): TeuError {
  return new TeuError({
    code: "denied",
    op: "cover",
    subject: path,
    message: "was replaced while it was being covered",
  });
}

/** Covers each path with a read-only copy of itself and all below it. */
export function readonlyPaths(kernel: Kernel, root: RootfsPath, paths: readonly string[]): void {
  for (const path of paths) {
    const target = root.find(path);
    if (target === null) continue;
    try {
      const copy = kernel.mount.openTree(
        target,
        "",
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE,
      );
      try {
        setReadonly(kernel, copy, AT_RECURSIVE);
        attach(kernel, copy, target);
        verifier(kernel, root, path)(copy);
      } finally {
        kernel.fs.close(copy);
      }
    } catch (error) {
      throw new TeuError({
        code: "internal",
        op: "make path read-only",
        subject: path,
        message: "mount failed",
        cause: error,
      });
    } finally {
      kernel.fs.close(target);
    }
  }
}
