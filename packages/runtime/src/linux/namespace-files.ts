// Touches what namespaces need from outside: opening and entering those to join, clock offsets.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWTIME } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Linux } from "@teu/specs/runtime";
import { type Join, NAMESPACE_FILES, NAMESPACE_FLAGS, type NamespacePlan } from "./namespaces.ts";

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

/**
 * Puts this process's children where the plan wants them; returns what undoes it for this process and later children (hooks).
 * `inside`: the child makes its time namespace itself.
 */
export function prepareChildren(kernel: Kernel, plan: NamespacePlan, linux: Linux, inside: boolean): () => void {
  const newTime = plan.newTime && !inside;
  if (plan.joinsBefore.length === 0 && !newTime) return () => {};
  const { fs } = kernel;
  const types = new Set([...plan.joinsBefore.map(({ type }) => type), ...(newTime ? (["time"] as const) : [])]);
  const own = openJoins(
    kernel,
    [...types].map((type) => ({ type, path: `/proc/self/ns/${NAMESPACE_FILES[type]}` })),
  );
  const joins = openJoins(kernel, plan.joinsBefore);
  try {
    enterJoins(kernel, joins);
    if (newTime) unshareTime(kernel, linux);
  } finally {
    for (const { fd } of joins) fs.close(fd);
  }
  return () => {
    enterJoins(kernel, own);
    for (const { fd } of own) fs.close(fd);
  };
}

/**
 * Puts this process, which is there for nothing else, where the child is to be cloned from: in the user namespace, so that what is new
 * belongs to that, and in the others, with the rights that it has before or after. Closes what it entered.
 */
export function enterUser(
  kernel: Kernel,
  plan: NamespacePlan,
  linux: Linux,
  user: OpenJoin,
  others: readonly OpenJoin[],
): void {
  const later = others.filter((join) => !tryEnter(kernel, join));
  if (plan.newTime) unshareTime(kernel, linux);
  enterJoins(kernel, [user, ...later]);
  for (const { fd } of [user, ...others]) kernel.fs.close(fd);
}

/** false: not with our rights; perhaps with those that one has in the user namespace. */
function tryEnter(kernel: Kernel, join: OpenJoin): boolean {
  try {
    enterJoins(kernel, [join]);
    return true;
  } catch (error) {
    if (error instanceof TeuError && isSysError(error.cause, "EPERM")) return false;
    throw error;
  }
}

/** A new time namespace for children to come. Its offsets can only be written while nobody is in it. */
function unshareTime(kernel: Kernel, linux: Linux): void {
  kernel.namespace.unshare(CLONE_NEWTIME);
  const lines = Object.entries(linux.timeOffsets ?? {}).map(
    ([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`,
  );
  if (lines.length === 0) return;
  try {
    kernel.fs.writeTextAt(AT_FDCWD, "/proc/self/timens_offsets", lines.join(""));
  } catch (error) {
    throw new TeuError({
      code: "invalid",
      op: "set clock offsets",
      subject: "linux.timeOffsets",
      message: "the kernel takes them for monotonic and boottime only, and no time before its start",
      cause: error,
    });
  }
}

/** The same for this process itself, which has rights to do so in its user namespace only. */
export function enterNewTime(kernel: Kernel, linux: Linux): void {
  unshareTime(kernel, linux);
  const fd = kernel.fs.openat(AT_FDCWD, "/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC, 0);
  kernel.namespace.setns(fd, CLONE_NEWTIME);
  kernel.fs.close(fd);
}
