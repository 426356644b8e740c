// Sources of bind mounts that the parent has to open, because the child could not: it may not be able to reach them from inside
// a user namespace, and only who has rights over a file system may map its ids.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_EMPTY_PATH, AT_RECURSIVE } from "@teu/sys/constants/fs";
import { MOUNT_ATTR_IDMAP, MS_SHARED, MS_SLAVE } from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { IdmapPlan } from "./idmap-plan.ts";
import type { MountStep } from "./mount-plan.ts";
import { openBindSource } from "./mount-tree.ts";
import type { StartPlan } from "./start-plan.ts";
import { makeUserNamespace, openUserNamespace } from "./user-namespace.ts";

/** Opens them, detached and with their ids mapped, for the child to inherit. The caller closes all. */
export function openSources(kernel: Kernel, plan: StartPlan): ReadonlyMap<MountStep, number> {
  const propagation = plan.propagation.before === MS_SHARED ? 0 : MS_SLAVE;
  return openSteps(kernel, plan.mounts, plan.namespaces.has.has("user"), propagation);
}

/** The same for some mounts; `all`: also those that map no ids. */
export function openSteps(
  kernel: Kernel,
  steps: readonly MountStep[],
  all: boolean,
  propagation: number,
): ReadonlyMap<MountStep, number> {
  const opened = new Map<MountStep, number>();
  const namespaces = new Map<string, number>();
  try {
    for (const step of steps) {
      if (step.kind !== "bind" || (step.idmap === null && !all)) continue;
      const tree = openSource(kernel, step, propagation);
      if (tree < 0) continue;
      opened.set(step, tree);
      if (step.idmap !== null) mapIds(kernel, step, tree, step.idmap, namespaces);
    }
    return opened;
  } finally {
    for (const fd of namespaces.values()) kernel.fs.close(fd);
  }
}

/** -1: without the right to copy mounts here the child has to open it. Who may map ids has that right. */
function openSource(kernel: Kernel, step: MountStep, propagation: number): number {
  try {
    return openBindSource(kernel, step, propagation);
  } catch (error) {
    if (!isSysError(error, "EPERM") || step.idmap !== null) throw error;
    return -1;
  }
}

/** `namespaces`: those made so far, by what they map. */
function mapIds(
  kernel: Kernel,
  step: MountStep,
  tree: number,
  { maps, recursive }: IdmapPlan,
  namespaces: Map<string, number>,
): void {
  const key = JSON.stringify(maps);
  const known = namespaces.get(key);
  const usernsFd =
    known ?? (typeof maps === "string" ? openUserNamespace(kernel, maps) : makeUserNamespace(kernel, maps));
  namespaces.set(key, usernsFd);
  try {
    const depth = recursive ? AT_RECURSIVE : 0;
    const attributes = { set: MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, usernsFd };
    kernel.mount.mountSetattr(tree, "", AT_EMPTY_PATH | depth, attributes);
  } catch (error) {
    const unable = isSysError(error, "EINVAL");
    throw new TeuError({
      code: unable ? "unsupported" : "denied",
      op: "map ids of mount",
      subject: step.source,
      message: unable
        ? "its file system takes no id mapping, or is mapped already"
        : "needs CAP_SYS_ADMIN where the file system was mounted",
      detail: { at: step.at },
      cause: error,
    });
  }
}
