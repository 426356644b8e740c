// Fills /dev: nodes, links, ptmx. All below fds that were resolved inside the root, so that a /dev that is a symlink to the
// host changes nothing there (CVE-2026-41579, 2026-47766).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFIFO,
  S_IFMT,
} from "@teu/sys/constants/fs";
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { inUserNamespace } from "./cgroup/waive.ts";
import { DEVICE_LINKS, type DeviceStep } from "./devices-plan.ts";
import { attach } from "./mount-tree.ts";
import type { RootfsPath } from "./rootfs-path.ts";
import { openScoped } from "./scoped-open.ts";

/**
 * Makes the nodes. `bind`: a user namespace forbids mknod, so the host's node of the same path is bound; also when it turns out that
 * we are in one.
 */
export function makeDevices(kernel: Kernel, root: RootfsPath, devices: readonly DeviceStep[], bind: boolean): void {
  const parents = new Map<string, number>();
  // mknod's mode is cut by the umask.
  const umask = kernel.process.umask(0);
  try {
    for (const device of devices) {
      const cut = device.path.lastIndexOf("/");
      const parentPath = device.path.slice(0, cut);
      let parent = parents.get(parentPath);
      if (parent === undefined) {
        parent = root.openTarget(parentPath === "" ? "/" : parentPath, "directory").fd;
        parents.set(parentPath, parent);
      }
      makeDevice(kernel, parent, device.path.slice(cut + 1), device, bind);
    }
  } finally {
    kernel.process.umask(umask);
    for (const fd of parents.values()) kernel.fs.close(fd);
  }
}

function makeDevice(kernel: Kernel, parent: number, name: string, device: DeviceStep, bind: boolean): void {
  const { fs } = kernel;
  try {
    if (bind && device.type !== S_IFIFO) return bindDevice(kernel, parent, name, device);
    try {
      fs.mknodAt(parent, name, device.type | device.mode, device.major, device.minor);
    } catch (error) {
      if (!isSysError(error, "EPERM") || device.type === S_IFIFO || !inUserNamespace(kernel)) throw error;
      return bindDevice(kernel, parent, name, device);
    }
    if (device.uid !== 0 || device.gid !== 0) fs.chownAt(parent, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (!isSysError(error, "EEXIST")) {
      throw new TeuError({
        code: "internal",
        op: "make device",
        subject: device.path,
        message: "mknod failed",
        cause: error,
      });
    }
    adoptDevice(kernel, parent, name, device);
  }
}

/** The image has one: accepted only when it is the very same device. By fd, or what is checked need not be what is changed. */
function adoptDevice(kernel: Kernel, parent: number, name: string, device: DeviceStep): void {
  const { fs } = kernel;
  const fd = fs.openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  try {
    const found = fs.fstat(fd);
    const same =
      (found.mode & S_IFMT) === device.type && found.rdevMajor === device.major && found.rdevMinor === device.minor;
    if (!same) {
      throw new TeuError({
        code: "conflict",
        op: "make device",
        subject: device.path,
        message: "the root file system has something else there",
      });
    }
    if (found.uid !== device.uid || found.gid !== device.gid) chownFound(kernel, fd, device);
  } finally {
    fs.close(fd);
  }
}

/** A node of the host's that is mounted there (podman's --privileged, rootless) belongs to nobody whom a user namespace knows. */
function chownFound(kernel: Kernel, fd: number, device: DeviceStep): void {
  try {
    kernel.fs.chownAt(fd, "", device.uid, device.gid, AT_EMPTY_PATH);
  } catch (error) {
    if (!isSysError(error, "EPERM") || !inUserNamespace(kernel)) throw error;
  }
}

function bindDevice(kernel: Kernel, parent: number, name: string, device: DeviceStep): void {
  const { fs, mount } = kernel;
  const tree = mount.openTree(AT_FDCWD, device.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
  try {
    // What is checked is what is bound.
    const found = fs.fstat(tree);
    if ((found.mode & S_IFMT) !== device.type || found.rdevMajor !== device.major || found.rdevMinor !== device.minor) {
      throw new TeuError({
        code: "unsupported",
        op: "bind device",
        subject: device.path,
        message: "the host's node is another device",
      });
    }
    const file = makeEmptyFile(kernel, parent, name);
    try {
      attach(kernel, tree, file);
    } finally {
      fs.close(file);
    }
  } finally {
    fs.close(tree);
  }
}

/** A file to mount on, made when missing, never through a link. Returns an O_PATH fd; caller closes. */
export function makeEmptyFile(kernel: Kernel, parent: number, name: string): number {
  const { fs } = kernel;
  try {
    fs.mknodAt(parent, name, 0o100666, 0, 0);
  } catch (error) {
    if (!isSysError(error, "EEXIST")) throw error;
  }
  return openScoped(kernel, parent, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/** /dev/fd and its kin, and ptmx. An existing link or node stays, except ptmx, which must be the container's own. */
export function makeDeviceLinks(kernel: Kernel, root: RootfsPath, kcore: boolean): void {
  const { fs } = kernel;
  const dev = root.openTarget("/dev", "directory").fd;
  try {
    const links = kcore ? [...DEVICE_LINKS, ["/dev/core", "/proc/kcore"] as const] : DEVICE_LINKS;
    for (const [path, goal] of links) link(kernel, dev, path.slice("/dev/".length), goal);
    try {
      fs.symlinkAt("pts/ptmx", dev, "ptmx");
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
      fs.unlinkAt(dev, "ptmx", 0);
      fs.symlinkAt("pts/ptmx", dev, "ptmx");
    }
  } finally {
    fs.close(dev);
  }
}

function link(kernel: Kernel, dev: number, name: string, goal: string): void {
  try {
    kernel.fs.symlinkAt(goal, dev, name);
  } catch (error) {
    if (!isSysError(error, "EEXIST")) throw error;
  }
}

/** Copies one open device mount (the other side of a pty) over a file of /dev. */
export function bindOver(kernel: Kernel, root: RootfsPath, name: string, from: number): void {
  const { fs, mount } = kernel;
  const dev = root.openTarget("/dev", "directory").fd;
  try {
    const file = makeEmptyFile(kernel, dev, name);
    const tree = mount.openTree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    try {
      attach(kernel, tree, file);
    } finally {
      fs.close(tree);
      fs.close(file);
    }
  } finally {
    fs.close(dev);
  }
}
