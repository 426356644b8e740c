// Makes the mounts of a plan with the new mount API: each is built detached, its attributes set, and then moved, fd to fd,
// onto a target that was opened inside the root. No path of the container is ever given to mount(2).
// portable: no host types here.

import { TeuError, isTeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_PATH,
  PROC_SUPER_MAGIC,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
} from "@teu/sys/constants/fs";
import {
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  MOUNT_ATTR_RDONLY,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { mountCgroups } from "./cgroup/mount.ts";
import { copyUp } from "./copy-up.ts";
import type { MountStep } from "./mount-plan.ts";
import {
  type MountEnvironment,
  attach,
  configure,
  finishTree,
  newFilesystem,
  openBindSource,
  openStepTarget,
  setReadonly,
} from "./mount-tree.ts";

/** Makes one mount. Failures say destination and type, with the kernel's words as cause. */
export function applyMount(kernel: Kernel, step: MountStep, environment: MountEnvironment): void {
  try {
    if (step.kind === "bind") applyBind(kernel, step, environment);
    else if (step.kind === "cgroup") mountCgroups(kernel, step, environment);
    else if (step.kind === "remount") applyRemount(kernel, step, environment);
    else applyFilesystem(kernel, step, environment);
  } catch (error) {
    throw mountError(step, error);
  }
}

function applyBind(kernel: Kernel, step: MountStep, { root, opened }: MountEnvironment): void {
  const { fs } = kernel;
  const tree = opened.get(step) ?? openBindSource(kernel, step, 0);
  try {
    const type = fs.fstat(tree).mode & S_IFMT;
    if (type === S_IFLNK && step.options.copySymlink) return root.makeLink(step.destination, fs.readlinkAt(tree, ""));
    const directory = type === S_IFDIR;
    // A bind of the host's /proc must be a procfs, whatever its path says.
    if (step.destination === "/proc" && fs.fstatfs(tree).type !== PROC_SUPER_MAGIC) {
      throw new TeuError({ code: "denied", op: "mount on", subject: "/proc", message: "the source is not a procfs" });
    }
    const { fd: target } = openStepTarget(kernel, root, step, directory ? "directory" : "file");
    try {
      attach(kernel, tree, target);
    } finally {
      fs.close(target);
    }
    finishTree(kernel, tree, step);
  } finally {
    fs.close(tree);
  }
}

function applyFilesystem(kernel: Kernel, step: MountStep, environment: MountEnvironment): void {
  const { fs } = kernel;
  const { root } = environment;
  const { fd: target, made } = openStepTarget(kernel, root, step, "directory");
  try {
    const data = step.fstype === "tmpfs" ? tmpfsData(kernel, made ? -1 : target, step.options.data) : step.options.data;
    // A tmpfs that is filled first becomes read-only afterwards.
    const later = step.options.copyUp || (step.destination === "/dev" && step.fstype === "tmpfs");
    const attributes = later ? step.options.attributes.set & ~MOUNT_ATTR_RDONLY : step.options.attributes.set;
    const tree = makeFilesystem(kernel, step, data, attributes, environment);
    try {
      if (step.options.copyUp) copyUp(kernel, root, step.destination, tree, made || hasMode(step.options.data));
      attach(kernel, tree, target);
      if (step.options.copyUp && (step.options.attributes.set & MOUNT_ATTR_RDONLY) !== 0) setReadonly(kernel, tree, 0);
      finishTree(kernel, tree, step);
    } finally {
      fs.close(tree);
    }
  } finally {
    fs.close(target);
  }
}

/** The file system that was asked for, or what stands for it where a user namespace may not have it. */
function makeFilesystem(
  kernel: Kernel,
  step: MountStep,
  data: readonly string[],
  attributes: number,
  { networkNamespace }: MountEnvironment,
): number {
  const { fstype, source, options } = step;
  try {
    return newFilesystem(kernel, fstype, source, options.superFlags, data, attributes);
  } catch (error) {
    // The group "tty" (5) is often not among the mapped ones; terminals then belong to the group of who opens them.
    const ungrouped = data.filter((item) => !item.startsWith("gid="));
    if (fstype === "devpts" && isSysError(error, "EINVAL") && ungrouped.length < data.length)
      return newFilesystem(kernel, fstype, source, options.superFlags, ungrouped, attributes);
    if (!isSysError(error, "EPERM")) throw error;
    // A sysfs shows a network namespace, so it takes rights over that: the host's is shown by the host's own /sys.
    if (fstype === "sysfs" && !networkNamespace) return bindSys(kernel, attributes);
    if (fstype === "proc" || fstype === "sysfs") throw revealing(fstype, error);
    throw error;
  }
}

/** Read-only with all below it, whatever was asked for: among that are the host's cgroups (CVE-2023-25809). */
function bindSys(kernel: Kernel, attributes: number): number {
  const { mount } = kernel;
  const tree = mount.openTree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  mount.mountSetattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, {
    set: attributes | MOUNT_ATTR_RDONLY,
    clear: 0,
    propagation: MS_SLAVE,
    usernsFd: -1,
  });
  return tree;
}

function revealing(fstype: string, cause: unknown): TeuError {
  return new TeuError({
    code: "denied",
    op: `make a new ${fstype}`,
    message: "operation not permitted",
    hint:
      fstype === "proc"
        ? "In a user namespace that takes a pid namespace of its own, and a /proc outside over which nothing is mounted: in a container whose /proc has masked paths, run without masks or bind /proc."
        : "In a user namespace that takes a network namespace of its own, and a /sys outside over which nothing is mounted that hides a part of it.",
    cause,
  });
}

/**
 * A tmpfs without "mode" takes that of the directory it covers, as runc's does (callers rely on it for /dev/shm and volumes). Where
 * there was none (`target` -1) it is the kernel's default, 1777: what users of `docker run --tmpfs` write to.
 */
function tmpfsData(kernel: Kernel, target: number, data: readonly string[]): readonly string[] {
  if (target < 0 || hasMode(data)) return data;
  return [...data, `mode=${(kernel.fs.fstat(target).mode & 0o7777).toString(8)}`];
}

function hasMode(data: readonly string[]): boolean {
  return data.some((item) => item.startsWith("mode="));
}

function applyRemount(kernel: Kernel, step: MountStep, { root }: MountEnvironment): void {
  const target = root.openStrict(step.destination, O_PATH);
  try {
    reconfigure(kernel, target, step);
    const { set, clear } = step.options.attributes;
    if (set !== 0 || clear !== 0)
      kernel.mount.mountSetattr(target, "", AT_EMPTY_PATH, { set, clear, propagation: 0, usernsFd: -1 });
    finishTree(kernel, target, step);
  } finally {
    kernel.fs.close(target);
  }
}

/** What a remount says about the file system itself: size=, sync. */
function reconfigure({ mount, fs }: Kernel, target: number, { options }: MountStep): void {
  if (options.data.length === 0 && options.superFlags.length === 0) return;
  const context = mount.fspick(target, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
  try {
    configure(mount, context, options.superFlags, options.data);
    mount.fsconfigReconfigure(context);
  } finally {
    fs.close(context);
  }
}

function mountError(step: MountStep, error: unknown): TeuError {
  const what = step.kind === "bind" ? `bind ${JSON.stringify(step.source)}` : step.fstype;
  return new TeuError({
    code: "internal",
    op: "mount",
    subject: step.destination,
    message: what,
    detail: { at: step.at },
    ...(isTeuError(error) && error.hint !== undefined ? { hint: error.hint } : {}),
    cause: error,
  });
}
