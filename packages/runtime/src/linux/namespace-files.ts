// Touches what namespaces need from outside: opening those to join, id maps, clock offsets, the sysctl gate.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWPID, CLONE_NEWTIME } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import type { IdMapping, Linux } from "@teu/specs/runtime";
import { type Join, NAMESPACE_FLAGS, type NamespacePlan } from "./namespaces.ts";

/** An opened namespace; the opener closes it. */
export interface OpenJoin extends Join {
  readonly fd: number;
}

/** Opens each file. */
export function openJoins(kernel: Kernel, joins: readonly Join[]): OpenJoin[] {
  return joins.map((join) => {
    try {
      return { ...join, fd: kernel.fs.openat(AT_FDCWD, join.path, O_RDONLY | O_CLOEXEC, 0) };
    } catch (error) {
      throw new TeuError({
        code: "not-found",
        op: "open namespace",
        subject: join.path,
        message: "cannot be opened",
        cause: error,
      });
    }
  });
}

/** Enters them; the kernel checks that each file is of its kind. */
export function enterJoins(kernel: Kernel, joins: readonly OpenJoin[]): void {
  for (const { type, path, fd } of joins) {
    try {
      kernel.namespace.setns(fd, NAMESPACE_FLAGS[type]);
    } catch (error) {
      throw new TeuError({
        code: "invalid",
        op: `join ${type} namespace`,
        subject: path,
        message: "refused",
        cause: error,
      });
    }
  }
}

/** Puts this process's children where the plan wants them (pid, time); returns what undoes it for later children (hooks). */
export function prepareChildren(kernel: Kernel, plan: NamespacePlan, linux: Linux): () => void {
  if (plan.joinsBefore.length === 0 && !plan.newTime) return () => {};
  const { fs } = kernel;
  const own = (["pid", "time"] as const).map((name) =>
    fs.openat(AT_FDCWD, `/proc/self/ns/${name}`, O_RDONLY | O_CLOEXEC, 0),
  );
  const joins = openJoins(kernel, plan.joinsBefore);
  try {
    enterJoins(kernel, joins);
    if (plan.newTime) {
      kernel.namespace.unshare(CLONE_NEWTIME);
      const lines = Object.entries(linux.timeOffsets ?? {}).map(
        ([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`,
      );
      if (lines.length > 0) fs.writeTextAt(AT_FDCWD, "/proc/self/timens_offsets", lines.join(""));
    }
  } finally {
    for (const { fd } of joins) fs.close(fd);
  }
  return () => {
    const [pid = -1, time = -1] = own;
    kernel.namespace.setns(pid, CLONE_NEWPID);
    kernel.namespace.setns(time, CLONE_NEWTIME);
    fs.close(pid);
    fs.close(time);
  };
}

/** Writes the maps of a new user namespace whose first process is `pid`. */
export function writeIdMaps(kernel: Kernel, pid: number, linux: Pick<Linux, "uidMappings" | "gidMappings">): void {
  const text = (maps: readonly IdMapping[]): string =>
    maps.map((map) => `${map.containerID} ${map.hostID} ${map.size}\n`).join("");
  const { fs } = kernel;
  try {
    // Without CAP_SETGID over the parent namespace a gid map is only taken once setgroups is given up.
    if (kernel.process.geteuid() !== 0) fs.writeTextAt(AT_FDCWD, `/proc/${pid}/setgroups`, "deny");
    fs.writeTextAt(AT_FDCWD, `/proc/${pid}/gid_map`, text(linux.gidMappings ?? []));
    fs.writeTextAt(AT_FDCWD, `/proc/${pid}/uid_map`, text(linux.uidMappings ?? []));
  } catch (error) {
    throw new TeuError({
      code: "denied",
      op: "write id mappings",
      subject: String(pid),
      message: "refused",
      cause: error,
    });
  }
}
