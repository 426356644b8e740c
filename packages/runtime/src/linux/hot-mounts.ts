// Mounts into, and out of, a running container (crun's `mounts add` and `mounts remove`): sources are opened here, on the host, and a
// process that joins the container's mount namespace puts them in place, fd to fd like those of a start. It stays in this process's
// pid namespace, so that nothing in the container sees it.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  S_IFDIR,
  S_IFMT,
  STATX_ATTR_MOUNT_ROOT,
} from "@teu/sys/constants/fs";
import { MNT_DETACH, MOUNT_ATTR_RDONLY, MS_SLAVE, UMOUNT_NOFOLLOW } from "@teu/sys/constants/mount";
import { CLONE_NEWNS, CLONE_NEWUSER, PR_SET_DUMPABLE, SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { ContainerRecord } from "../container/record.ts";
import { unsupportedConfig, verbatim } from "../failure.ts";
import { openSteps } from "./bind-sources.ts";
import { openInit } from "./kill-container.ts";
import { applyMount } from "./mount-apply.ts";
import type { MountStep } from "./mount-plan.ts";
import { RootfsPath } from "./rootfs-path.ts";
import { type ChildMessage, Twin } from "./twin.ts";

/** File systems that show a namespace of whoever mounts them: here that would be the host's. */
const OF_NAMESPACES: ReadonlySet<string> = new Set(["proc", "sysfs", "mqueue"]);

/** Makes the mounts, all or (when one fails) those before it. Throws `unsupported` for kinds that only a start can make. */
export function addMounts(kernel: Kernel, record: ContainerRecord, steps: readonly MountStep[]): void {
  for (const { kind, fstype, at } of steps) {
    if (kind === "cgroup" || kind === "remount" || OF_NAMESPACES.has(fstype))
      throw unsupportedConfig(
        at,
        `${kind === "remount" ? "a remount" : fstype} can only be made when a container starts`,
      );
  }
  const opened = openSteps(kernel, steps, true, MS_SLAVE);
  try {
    inside(kernel, record, [...opened.values()], (root) => {
      const environment = {
        root,
        opened,
        cgroup: { plan: NO_CGROUP, unifiedFd: -1, refused: [] },
        cgroupNamespace: false,
        networkNamespace: false,
      };
      for (const step of steps) applyMount(kernel, step, environment);
    });
  } finally {
    for (const fd of opened.values()) kernel.fs.close(fd);
  }
}

const NO_CGROUP = { kind: "none", directories: [], named: false, deviceRules: [] } as const;

/** Takes away what is mounted at these clean paths, the last first. Throws `not-found` for a path that is no mount point. */
export function removeMounts(kernel: Kernel, record: ContainerRecord, destinations: readonly string[]): void {
  inside(kernel, record, [], (root) => {
    for (const destination of destinations.toReversed()) removeMount(kernel, root, destination);
  });
}

/** Changes whether a running container's root is read-only. */
export function setRootReadonly(kernel: Kernel, record: ContainerRecord, readonly: boolean): void {
  const change = { set: readonly ? MOUNT_ATTR_RDONLY : 0, clear: readonly ? 0 : MOUNT_ATTR_RDONLY };
  inside(kernel, record, [], ({ fd }) =>
    kernel.mount.mountSetattr(fd, "", AT_EMPTY_PATH, { ...change, propagation: 0, usernsFd: -1 }),
  );
}

function removeMount(kernel: Kernel, root: RootfsPath, destination: string): void {
  const fd = root.openStrict(destination, O_PATH);
  if ((kernel.fs.fstat(fd).attributes & STATX_ATTR_MOUNT_ROOT) === 0 || destination === "/")
    throw new TeuError({
      code: "not-found",
      op: "remove mount",
      subject: destination,
      message: "nothing is mounted there",
    });
  if ((kernel.fs.fstat(fd).mode & S_IFMT) === S_IFDIR) {
    // What was looked at, whatever its name leads to by now.
    kernel.process.fchdir(fd);
    kernel.mount.umount2(".", MNT_DETACH);
  } else {
    // A file cannot be entered. From its directory and without a link its name can at least not lead to a mask.
    const cut = destination.lastIndexOf("/");
    const parent = root.openStrict(destination.slice(0, cut), O_PATH);
    kernel.process.fchdir(parent);
    kernel.fs.close(parent);
    kernel.mount.umount2(destination.slice(cut + 1), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  kernel.process.chdir("/");
  kernel.fs.close(fd);
}

/** Runs `act` in a process inside the container's mount namespace; its error is thrown here. */
function inside(
  kernel: Kernel,
  record: ContainerRecord,
  keep: readonly number[],
  act: (root: RootfsPath) => void,
): void {
  const { fs, namespace, process } = kernel;
  // They would be the host's.
  if (!record.namespaces.includes("mount"))
    throw verbatim("unsupported", "mounts of a container without a mount namespace of its own cannot be changed");
  const init = openInit(kernel, record);
  if (init === null) throw verbatim("conflict", "container not running");
  process.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // Who is not root of the host has the right to only as root of the container's user namespace.
  const flags =
    process.geteuid() !== 0 && record.namespaces.includes("user") ? CLONE_NEWNS | CLONE_NEWUSER : CLONE_NEWNS;
  const twin = Twin.start(kernel, { flags: 0 }, [init, ...keep], function* program(): Generator<
    ChildMessage,
    void,
    void
  > {
    namespace.setns(init, flags);
    act(new RootfsPath(kernel, fs.openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0)));
    yield { step: "ready" };
  });
  try {
    twin.receive();
  } finally {
    endHelper(kernel, twin);
    fs.close(init);
  }
}

/** It has done what it was for, or failed; either way it is waiting or gone. */
function endHelper(kernel: Kernel, twin: Twin): void {
  try {
    kernel.process.pidfdSendSignal(twin.pidfd, SIGKILL);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
  kernel.process.waitpid(twin.pid, 0);
  twin.close();
}
