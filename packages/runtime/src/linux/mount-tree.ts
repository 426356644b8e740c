// Detached mounts: made, given attributes, moved fd to fd onto targets that were opened inside the root.
// What to mount where is decided by mount-plan.ts; mount-apply.ts and cgroup/mount.ts put these parts together.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  PROC_SUPER_MAGIC,
  S_IFLNK,
  S_IFMT,
} from "@teu/sys/constants/fs";
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { CgroupHandle } from "./cgroup/manager.ts";
import type { MountStep } from "./mount-plan.ts";
import type { RootfsPath, Target } from "./rootfs-path.ts";

/** What a mount may need besides the plan. */
export interface MountEnvironment {
  readonly root: RootfsPath;
  readonly cgroup: CgroupHandle;
  /** A cgroup namespace of its own: cgroup file systems are mounted afresh instead of bound. */
  readonly cgroupNamespace: boolean;
  /** A network namespace of its own, made or joined. */
  readonly networkNamespace: boolean;
  /** Detached trees opened before entering a user namespace, by step; else they are opened here. */
  readonly opened: ReadonlyMap<MountStep, number>;
}

/**
 * Opens a detached copy of a bind's source, with its attributes set; with "copy-symlink" and a source that is a symbolic link,
 * the link itself. Caller closes.
 */
export function openBindSource(kernel: Kernel, step: MountStep, propagation: number): number {
  const { mount } = kernel;
  const link = step.options.copySymlink ? openLink(kernel, step.source) : -1;
  if (link >= 0) return link;
  const recursive = step.options.recursive ? AT_RECURSIVE : 0;
  const follow = step.options.sourceNoFollow ? AT_SYMLINK_NOFOLLOW : 0;
  const tree = mount.openTree(AT_FDCWD, step.source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive | follow);
  if (propagation !== 0)
    mount.mountSetattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, { set: 0, clear: 0, propagation, usernsFd: -1 });
  const { set, clear } = step.options.attributes;
  // "rw" alone changes nothing: a copy of a read-only mount in a user namespace is locked, and asking would be refused.
  if (set !== 0 || (clear & ~MOUNT_ATTR_RDONLY) !== 0) {
    mount.mountSetattr(tree, "", AT_EMPTY_PATH, { set, clear, propagation: 0, usernsFd: -1 });
  }
  return tree;
}

/** O_PATH fd of a symbolic link; -1 when it is something else. */
function openLink(kernel: Kernel, path: string): number {
  const { fs } = kernel;
  const fd = fs.openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if ((fs.fstat(fd).mode & S_IFMT) === S_IFLNK) return fd;
  fs.close(fd);
  return -1;
}

/** Moves a detached mount onto an open target. */
export function attach(kernel: Kernel, tree: number, target: number): void {
  kernel.mount.moveMount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/** Attributes of the whole tree ("rro") and the propagation, once it is in place. */
export function finishTree(kernel: Kernel, tree: number, step: MountStep): void {
  const { recursiveAttributes, propagation, propagationRecursive } = step.options;
  if (recursiveAttributes.set !== 0 || recursiveAttributes.clear !== 0) {
    kernel.mount.mountSetattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, {
      ...recursiveAttributes,
      propagation: 0,
      usernsFd: -1,
    });
  }
  if (propagation !== 0) {
    const depth = propagationRecursive ? AT_RECURSIVE : 0;
    kernel.mount.mountSetattr(tree, "", AT_EMPTY_PATH | depth, { set: 0, clear: 0, propagation, usernsFd: -1 });
  }
}

/** A new file system, detached, with mount attributes. Caller closes. */
export function newFilesystem(
  kernel: Kernel,
  fstype: string,
  source: string,
  superFlags: readonly string[],
  data: readonly string[],
  attributes: number,
): number {
  const { fs, mount } = kernel;
  const context = mount.fsopen(fstype, FSOPEN_CLOEXEC);
  try {
    if (source !== "") mount.fsconfigString(context, "source", source);
    configure(mount, context, superFlags, data);
    mount.fsconfigCreate(context);
    return mount.fsmount(context, FSMOUNT_CLOEXEC, attributes);
  } finally {
    fs.close(context);
  }
}

/** Parameters of a file system, as options say them. */
export function configure(
  mount: Kernel["mount"],
  context: number,
  superFlags: readonly string[],
  data: readonly string[],
): void {
  for (const flag of superFlags) mount.fsconfigFlag(context, flag);
  for (const item of data) {
    const equals = item.indexOf("=");
    if (equals < 0) mount.fsconfigFlag(context, item);
    else mount.fsconfigString(context, item.slice(0, equals), item.slice(equals + 1));
  }
}

/** Opens the target of a step, made when missing, and refuses one that a symlink led into procfs. Caller closes. */
export function openStepTarget(kernel: Kernel, root: RootfsPath, step: MountStep, kind: "directory" | "file"): Target {
  if (step.strict) return { fd: openStrictTarget(kernel, root, step.destination), followedLink: false, made: false };
  const target = step.options.destinationNoFollow
    ? root.openItself(step.destination, kind)
    : root.openTarget(step.destination, kind);
  const { fd, followedLink } = target;
  // Without a link on the way the text of the destination decided already (planMounts).
  if (followedLink && !step.onProc && kernel.fs.fstatfs(fd).type === PROC_SUPER_MAGIC) {
    kernel.fs.close(fd);
    throw new TeuError({
      code: "denied",
      op: "mount on",
      subject: step.destination,
      message: "a symbolic link leads into procfs",
    });
  }
  return target;
}

function openStrictTarget(kernel: Kernel, root: RootfsPath, destination: string): number {
  try {
    return root.openStrict(destination, O_PATH | O_DIRECTORY);
  } catch (error) {
    if (isSysError(error, "ELOOP") || isSysError(error, "ENOTDIR")) {
      throw new TeuError({
        code: "denied",
        op: "mount on",
        subject: destination,
        message: "the root file system has a symbolic link or file in its place",
        cause: error,
      });
    }
    if (!isSysError(error, "ENOENT")) throw error;
  }
  kernel.fs.close(root.makeDirectory(destination));
  return root.openStrict(destination, O_PATH | O_DIRECTORY);
}

/** Makes a mount read-only; `depth` AT_RECURSIVE for all below it. */
export function setReadonly(kernel: Kernel, fd: number, depth: number): void {
  kernel.mount.mountSetattr(fd, "", AT_EMPTY_PATH | depth, {
    set: MOUNT_ATTR_RDONLY,
    clear: 0,
    propagation: 0,
    usernsFd: -1,
  });
}
