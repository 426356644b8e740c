// Makes the container's root: its mount in the new namespace, what is mounted in it, and the change of root.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  STATX_ATTR_MOUNT_ROOT,
} from "@teu/sys/constants/fs";
import {
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "@teu/sys/constants/mount";
import { CLONE_NEWNS } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { makeDeviceLinks, makeDevices } from "./devices.ts";
import { attach, setReadonly } from "./mount-tree.ts";
import { RootfsPath } from "./rootfs-path.ts";
import type { StartPlan } from "./start-plan.ts";

/** A clone of the rootfs mounted over itself in this namespace. The caller closes the fd of the result. */
export function openRoot(kernel: Kernel, plan: StartPlan): RootfsPath {
  const { fs, mount } = kernel;
  const { before } = plan.propagation;
  mount.mountSetattr(AT_FDCWD, "/", AT_RECURSIVE, { set: 0, clear: 0, propagation: before, usernsFd: -1 });
  let place = -1;
  try {
    place = fs.openat(AT_FDCWD, plan.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    const tree = mount.openTree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (before === MS_SHARED) isolate(kernel, plan.rootfs, tree);
    attach(kernel, tree, place);
    return new RootfsPath(kernel, tree);
  } catch (error) {
    throw new TeuError({
      code: "invalid",
      op: "mount rootfs",
      subject: plan.rootfs,
      message: "is it a directory?",
      cause: error,
    });
  } finally {
    if (place >= 0) fs.close(place);
  }
}

/** Shared propagation: neither the root nor the mount it lies on may be shared, or the host would see it and pivot_root refuse. */
function isolate(kernel: Kernel, rootfs: string, tree: number): void {
  const { fs, mount } = kernel;
  let path = rootfs;
  while (path !== "" && (fs.statAt(AT_FDCWD, path, 0).attributes & STATX_ATTR_MOUNT_ROOT) === 0)
    path = path.slice(0, path.lastIndexOf("/"));
  const alone = { set: 0, clear: 0, propagation: MS_PRIVATE, usernsFd: -1 };
  mount.mountSetattr(AT_FDCWD, path === "" ? "/" : path, 0, alone);
  mount.mountSetattr(tree, "", AT_EMPTY_PATH, alone);
}

/** Devices, links, and the working directory when the image lacks it; after the mounts. */
export function fillRoot(kernel: Kernel, plan: StartPlan, root: RootfsPath): void {
  if (plan.devices !== null) {
    makeDevices(kernel, root, plan.devices, plan.namespaces.has.has("user"));
    makeDeviceLinks(kernel, root, !plan.maskedPaths.includes("/proc/kcore"));
  }
  const cwd = root.find(plan.process.cwd);
  kernel.fs.close(cwd ?? root.makeDirectory(plan.process.cwd));
}

/** Read-only /dev, once it is filled. */
export function sealDev(kernel: Kernel, plan: StartPlan, root: RootfsPath): void {
  const dev = plan.mounts.find((step) => step.destination === "/dev" && step.fstype === "tmpfs");
  if (dev === undefined || (dev.options.attributes.set & MOUNT_ATTR_RDONLY) === 0) return;
  const fd = root.openStrict("/dev", O_PATH);
  setReadonly(kernel, fd, 0);
  kernel.fs.close(fd);
}

/**
 * Makes the root "/" of this process and lets go of the host's tree. `noPivot`: covers the host's tree instead, for a host whose
 * root is an initramfs, where pivot_root(2) is EINVAL; less safe, since the tree stays in the namespace below. `hostMount`: the host's
 * mount namespace for a container without one of its own, else -1.
 */
export function changeRoot(
  kernel: Kernel,
  plan: StartPlan,
  root: RootfsPath,
  noPivot: boolean,
  hostMount: number,
): void {
  if (plan.readonlyRoot) setReadonly(kernel, root.fd, 0);
  if (hostMount < 0) pivot(kernel, plan, root, noPivot);
  else leaveWithRoot(kernel, root, hostMount);
}

function pivot(kernel: Kernel, plan: StartPlan, root: RootfsPath, noPivot: boolean): void {
  const { mount, process } = kernel;
  process.fchdir(root.fd);
  if (noPivot) coverRoot(kernel, plan, root);
  else {
    // Old root stacked on the new one: no directory for it is needed, and "." then is the old one.
    mount.pivotRoot(".", ".");
    if (plan.propagation.before === MS_SHARED)
      mount.mountSetattr(AT_FDCWD, ".", AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_SLAVE, usernsFd: -1 });
    mount.umount2(".", MNT_DETACH);
  }
  process.chdir("/");
  const { after, afterRecursive } = plan.propagation;
  if (after !== 0)
    mount.mountSetattr(AT_FDCWD, "/", afterRecursive ? AT_RECURSIVE : 0, {
      set: 0,
      clear: 0,
      propagation: after,
      usernsFd: -1,
    });
}

/**
 * Instead of `pivot`, for a container in the host's mount namespace: goes there with a copy of the root and all that is mounted in it,
 * which is attached nowhere. The host's mounts stay as they are, whatever becomes of the runtime; the kernel takes the copy down with
 * the last process that uses it. Nothing can be mounted or unmounted in it (EINVAL), and /proc/mounts inside is empty.
 */
function leaveWithRoot(kernel: Kernel, root: RootfsPath, hostMount: number): void {
  const { fs, mount, namespace, process } = kernel;
  const tree = mount.openTree(root.fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  namespace.setns(hostMount, CLONE_NEWNS);
  process.fchdir(tree);
  process.chroot(".");
  process.chdir("/");
  for (const fd of [hostMount, tree, root.fd]) fs.close(fd);
}

function coverRoot(kernel: Kernel, plan: StartPlan, root: RootfsPath): void {
  const { fs, mount, process } = kernel;
  mount.mountSetattr(AT_FDCWD, "/", AT_RECURSIVE, { set: 0, clear: 0, propagation: MS_PRIVATE, usernsFd: -1 });
  // The host's procfs and sysfs would let the container mount whole ones of its own, whatever is masked in those it was given.
  for (const path of kernelTrees(fs.readTextAt(AT_FDCWD, "/proc/self/mountinfo", 64 << 20), plan.rootfs))
    mount.umount2(path, MNT_DETACH);
  mount.moveMount(root.fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
  process.chroot(".");
}

/** Mount points of procfs and sysfs outside `rootfs`, the last mounted first (proc_pid_mountinfo(5)). */
export function kernelTrees(mountinfo: string, rootfs: string): string[] {
  const out: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const point = (before.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const kind = after.split(" ")[0] ?? "";
    if ((kind === "proc" || kind === "sysfs") && point !== rootfs && !point.startsWith(`${rootfs}/`)) out.push(point);
  }
  return out.reverse();
}
