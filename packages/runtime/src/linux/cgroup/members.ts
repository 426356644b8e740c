// Who is in a cgroup: its processes and child cgroups. A cgroup that goes while we look counts as empty.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, DT_DIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";

const LIMIT = 64 << 20;

/** Text of a cgroup file; null when there is none. */
export function readOrNull(kernel: Kernel, path: string): string | null {
  try {
    return kernel.fs.readTextAt(AT_FDCWD, path, LIMIT);
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ENODEV")) return null;
    throw error;
  }
}

/** Names of the child cgroups; none when the cgroup is gone. */
export function subdirectories(kernel: Kernel, path: string): string[] {
  const { fs } = kernel;
  try {
    const fd = fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    try {
      return fs
        .readDir(fd)
        .filter((entry) => entry.type === DT_DIR)
        .map((entry) => entry.name);
    } finally {
      fs.close(fd);
    }
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ENODEV")) return [];
    throw error;
  }
}

/** Host pids of every process in the cgroup and below it. */
export function pidsBelow(kernel: Kernel, path: string): number[] {
  const own = readOrNull(kernel, `${path}/cgroup.procs`);
  if (own === null) return [];
  const pids = own
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  return [...pids, ...subdirectories(kernel, path).flatMap((name) => pidsBelow(kernel, `${path}/${name}`))];
}

/**
 * Checks a cgroup that was there before its container: limits and signals meant for the container would hit whoever is in it, and
 * in a frozen one the container's first process would never run. Throws TeuError `conflict` with runc's texts.
 */
export function refuseOccupied(kernel: Kernel, path: string): void {
  const pids = pidsBelow(kernel, path).length;
  const refuse = (message: string): never => {
    throw new TeuError({ code: "conflict", op: "use cgroup", subject: path, message });
  };
  if (pids > 0) refuse(`container's cgroup is not empty: ${pids} process(es) found`);
  const frozen =
    readOrNull(kernel, `${path}/freezer.state`)?.trim() === "FROZEN" ||
    readOrNull(kernel, `${path}/cgroup.freeze`)?.trim() === "1";
  if (frozen) refuse("container's cgroup unexpectedly frozen");
}
