// The root file system in the shim's own mount namespace: nothing of it shows on the host, nothing of it outlives the shim.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CLOEXEC, O_DIRECTORY, O_PATH } from "@teu/sys/constants/fs";
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_NODEV,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  UMOUNT_NOFOLLOW,
} from "@teu/sys/constants/mount";
import { CLONE_NEWNS } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { RootfsConfig } from "../protocol.ts";
import { overlayData, overlayOptions } from "./overlay-plan.ts";
import type { MountOption, OverlayConfig } from "./overlay-plan.ts";

// fsconfig(2) takes strings below 256 bytes; longer paths go through /proc/self/fd.
const STRING_LIMIT = 255;

const SAME_BITS = MS_RDONLY | MS_NOSUID | MS_NODEV;

/** Leaves the host's mount namespace: its mounts still arrive here, ours never go there. */
export function enterMountNamespace(kernel: Kernel): void {
  kernel.namespace.unshare(CLONE_NEWNS);
  kernel.mount.mount("", "/", "", MS_REC | MS_SLAVE, "");
}

/**
 * Brings the root file system to the directory `target`, with attributes (MOUNT_ATTR_*) of the mount; true when there is a mount
 * to take down.
 * @throws TeuError `not-found` when a layer or the directory is missing; else what the kernel said.
 */
export function mountRootfs(kernel: Kernel, rootfs: RootfsConfig, target: string, attributes = 0): boolean {
  const at = openDirectory(kernel, target);
  try {
    if (rootfs.kind === "directory") return false;
    for (const lower of rootfs.lower) kernel.fs.close(openDirectory(kernel, lower));
    // overlayfs wants two layers when there is no upper: a single one is itself, read-only.
    if (rootfs.upper === undefined && rootfs.lower.length === 1)
      mountReadOnly(kernel, rootfs.lower[0] ?? "", at, attributes);
    else mountOverlay(kernel, rootfs, { target, at, attributes });
    return true;
  } finally {
    kernel.fs.close(at);
  }
}

/** Takes the mount down; one that is in use leaves the tree at once and the memory when its users do. */
export function unmountRootfs(kernel: Kernel, target: string): void {
  try {
    kernel.mount.umount2(target, UMOUNT_NOFOLLOW);
  } catch (error) {
    if (isSysError(error, "EINVAL") || isSysError(error, "ENOENT")) return; // is not mounted
    if (!isSysError(error, "EBUSY")) throw error;
    kernel.mount.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

interface Place {
  readonly target: string;
  /** The same, opened. */
  readonly at: number;
  readonly attributes: number;
}

function mountOverlay(kernel: Kernel, overlay: OverlayConfig, { target, at, attributes }: Place): void {
  const { mount, fs } = kernel;
  let tree: number;
  try {
    tree = newOverlay(kernel, overlayOptions(overlay), attributes);
  } catch (error) {
    // Before Linux 6.5 there is no "lowerdir+", before 5.2 no fsopen: only then the old way can do better.
    if (!isSysError(error, "EINVAL") && !isSysError(error, "ENOSYS")) throw error;
    mountOld(kernel, overlay, { target, at, attributes }, error);
    return;
  }
  try {
    mount.moveMount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  } finally {
    fs.close(tree);
  }
}

function mountOld(kernel: Kernel, overlay: OverlayConfig, { target, attributes }: Place, first: unknown): void {
  try {
    // The first attributes (read-only, no set-id, no devices) are the same bits in both calls.
    kernel.mount.mount("overlay", target, "overlay", attributes & SAME_BITS, overlayData(overlay));
  } catch (error) {
    // The old call says less about the same fault.
    if (isSysError(error, "EINVAL") && isSysError(first, "EINVAL")) throw first;
    throw error;
  }
}

function newOverlay(kernel: Kernel, options: readonly MountOption[], attributes: number): number {
  const { mount, fs } = kernel;
  const context = mount.fsopen("overlay", FSOPEN_CLOEXEC);
  const opened: number[] = [];
  try {
    mount.fsconfigString(context, "source", "overlay");
    for (const { key, value, path } of options) {
      if (value === undefined) {
        mount.fsconfigFlag(context, key);
      } else if (path === true && value.length > STRING_LIMIT / 3) {
        const fd = openDirectory(kernel, value);
        opened.push(fd);
        mount.fsconfigString(context, key, `/proc/self/fd/${fd}`);
      } else {
        mount.fsconfigString(context, key, value);
      }
    }
    mount.fsconfigCreate(context);
    return mount.fsmount(context, FSMOUNT_CLOEXEC, attributes);
  } finally {
    for (const fd of opened) fs.close(fd);
    fs.close(context);
  }
}

function mountReadOnly(kernel: Kernel, source: string, at: number, attributes: number): void {
  const { mount, fs } = kernel;
  const tree = mount.openTree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  try {
    const attr = { set: MOUNT_ATTR_RDONLY | attributes, clear: 0, propagation: 0, usernsFd: -1 };
    mount.mountSetattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attr);
    mount.moveMount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  } finally {
    fs.close(tree);
  }
}

function openDirectory(kernel: Kernel, path: string): number {
  try {
    return kernel.fs.openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  } catch (error) {
    if (!isSysError(error, "ENOENT") && !isSysError(error, "ENOTDIR")) throw error;
    const message = isSysError(error, "ENOENT") ? "does not exist" : "is not a directory";
    throw new TeuError({ code: "not-found", op: "mount root file system", subject: path, message });
  }
}
