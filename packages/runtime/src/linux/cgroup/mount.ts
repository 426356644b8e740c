// The "cgroup" mount of a container (runtime-spec, "cgroup ownership" leaves the how to us): on v2 one file system, on v1 a tmpfs
// with one mount per hierarchy. Without a cgroup namespace only the container's own part is shown; read-only when asked,
// and never writable by accident (CVE-2023-25809).
// portable: no host types here.

import { AT_EMPTY_PATH, AT_FDCWD } from "@teu/sys/constants/fs";
import {
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import {
  type MountEnvironment,
  attach,
  finishTree,
  newFilesystem,
  openStepTarget,
  setReadonly,
} from "../mount-tree.ts";
import type { MountStep } from "../mount-plan.ts";
import type { CgroupHandle } from "./manager.ts";
import type { CgroupDirectory } from "./plan.ts";

/** A directory to show, with what its mount gets besides the options of config.json. */
interface Shown extends CgroupDirectory {
  readonly attributes: number;
}

/** Mounts the container's view of cgroups on the step's destination. */
export function mountCgroups(kernel: Kernel, step: MountStep, environment: MountEnvironment): void {
  const { plan } = environment.cgroup;
  const unified = plan.kind === "unified" ? shownDirectories(environment.cgroup)[0] : undefined;
  const { fd: target } = openStepTarget(kernel, environment.root, step, "directory");
  try {
    const tree =
      unified === undefined
        ? legacyTree(kernel, step)
        : hierarchyTree(kernel, unified, step, environment.cgroupNamespace);
    try {
      attach(kernel, tree, target);
      if (unified === undefined) fillLegacy(kernel, tree, step, environment);
      finishTree(kernel, tree, step);
    } finally {
      kernel.fs.close(tree);
    }
  } finally {
    kernel.fs.close(target);
  }
}

/**
 * The container's directories; where it has none of its own, the one that it lives in, which is others' as well and so never
 * writable (CVE-2023-25809).
 */
function shownDirectories({ plan, refused }: CgroupHandle): Shown[] {
  return [
    ...plan.directories.map((one) => ({ ...one, attributes: 0 })),
    ...refused.map((one) => ({ ...one, path: one.here, attributes: MOUNT_ATTR_RDONLY })),
  ];
}

function legacyTree(kernel: Kernel, step: MountStep): number {
  return newFilesystem(
    kernel,
    "tmpfs",
    "tmpfs",
    [],
    ["mode=755", ...step.options.data.filter((item) => item.startsWith("context="))],
    step.options.attributes.set & ~MOUNT_ATTR_RDONLY,
  );
}

function fillLegacy(
  kernel: Kernel,
  tmpfs: number,
  step: MountStep,
  { cgroup, cgroupNamespace }: MountEnvironment,
): void {
  const { fs } = kernel;
  for (const directory of shownDirectories(cgroup)) {
    const name = directory.mount.slice(directory.mount.lastIndexOf("/") + 1);
    fs.mkdirAt(tmpfs, name, 0o755);
    const tree = hierarchyTree(kernel, directory, step, cgroupNamespace);
    try {
      kernel.mount.moveMount(tree, "", tmpfs, name, MOVE_MOUNT_F_EMPTY_PATH);
    } finally {
      fs.close(tree);
    }
    // "cpu,cpuacct" is also known as "cpu" and as "cpuacct".
    if (name.includes(",")) for (const alias of name.split(",")) fs.symlinkAt(name, tmpfs, alias);
  }
  if ((step.options.attributes.set & MOUNT_ATTR_RDONLY) !== 0) setReadonly(kernel, tmpfs, 0);
}

function hierarchyTree(kernel: Kernel, directory: Shown, step: MountStep, cgroupNamespace: boolean): number {
  const attributes = step.options.attributes.set | directory.attributes;
  if (cgroupNamespace) {
    try {
      const data = directory.controllers === "" ? [] : directory.controllers.split(",");
      return newFilesystem(kernel, directory.controllers === "" ? "cgroup2" : "cgroup", "cgroup", [], data, attributes);
    } catch (error) {
      // A user namespace that does not own the hierarchy: show the container's own part instead.
      if (!isSysError(error, "EPERM") && !isSysError(error, "EBUSY")) throw error;
    }
  }
  const { mount } = kernel;
  const tree = mount.openTree(AT_FDCWD, directory.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  mount.mountSetattr(tree, "", AT_EMPTY_PATH, {
    set: attributes,
    clear: step.options.attributes.clear & ~directory.attributes,
    propagation: 0,
    usernsFd: -1,
  });
  return tree;
}
