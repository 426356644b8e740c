// Acts on the resctrl file system: finds it, makes a container's class and monitoring group, puts processes in, removes them again.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, AT_REMOVEDIR, F_OK, RDTGROUP_SUPER_MAGIC } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { unsupportedConfig } from "../failure.ts";
import { type ResctrlPlan, holdsSchema } from "./resctrl-plan.ts";

/** What the state file remembers. */
export interface ResctrlRecord {
  /** Files that take the number of a process, in order. */
  readonly tasks: readonly string[];
  /** Directories that are the container's own, to be removed with it. */
  readonly made: readonly string[];
}

const USUAL = "/sys/fs/resctrl";
const LIMIT = 1 << 20;
const MOUNTINFO_LIMIT = 64 << 20;

/** Where it is mounted; null: nowhere in this mount namespace. */
export function findResctrl(kernel: Kernel): string | null {
  if (kernel.fs.filesystemType(USUAL) === RDTGROUP_SUPER_MAGIC) return USUAL;
  const text = kernel.fs.readTextAt(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_LIMIT);
  for (const line of text.split("\n")) if (line.includes(" - resctrl ")) return line.split(" ")[4] ?? null;
  return null;
}

/** Looks what is there already; changes nothing. Throws `unsupported` without resctrl, `not-found` and `conflict` for a named class. */
export function prepareResctrl(kernel: Kernel, plan: ResctrlPlan): ResctrlRecord {
  const { fs } = kernel;
  const mount = findResctrl(kernel);
  if (mount === null) {
    throw unsupportedConfig(
      "linux.intelRdt",
      "no resctrl file system is mounted here (mount -t resctrl resctrl /sys/fs/resctrl; the processor must have RDT)",
    );
  }
  const group = plan.group === "" ? mount : `${mount}/${plan.group}`;
  const there = fs.accessAt(AT_FDCWD, group, F_OK);
  const refuse = (code: "not-found" | "conflict", message: string): never => {
    throw new TeuError({ code, op: "use class of service", subject: group, message });
  };
  if (!there && plan.mustExist) refuse("not-found", "it is not there, and no schemata say what to make it of");
  if (there && plan.expected.length > 0) {
    const have = fs.readTextAt(AT_FDCWD, `${group}/schemata`, LIMIT);
    const other = plan.expected.find((line) => !holdsSchema(have, line));
    if (other !== undefined) refuse("conflict", `it is there already, and does not hold ${JSON.stringify(other)}`);
  }
  const monitor = plan.monitor === null ? null : `${group}/mon_groups/${plan.monitor}`;
  return {
    tasks: [`${group}/tasks`, ...(monitor === null ? [] : [`${monitor}/tasks`])],
    made: [...(there ? [] : [group]), ...(monitor === null ? [] : [monitor])],
  };
}

/** Makes what `prepareResctrl` found missing, and writes the schemata. */
export function makeResctrl(kernel: Kernel, plan: ResctrlPlan, { made, tasks }: ResctrlRecord): void {
  const { fs } = kernel;
  const attempt = (what: string, subject: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      throw resctrlError(kernel, what, subject, tasks, error);
    }
  };
  for (const path of made) attempt("make resctrl group", path, () => fs.mkdirAt(AT_FDCWD, path, 0o755));
  for (const line of plan.schemata)
    attempt("set schemata", line, () => fs.writeTextAt(AT_FDCWD, `${classOf(tasks)}/schemata`, `${line}\n`));
}

/**
 * Writes other schemata into a container's class. Throws `unsupported` for one that is not its own alone: what was there before it has
 * other processes too, or is the root class with those of the host.
 */
export function changeSchemata(kernel: Kernel, { tasks, made }: ResctrlRecord, lines: readonly string[]): void {
  const group = classOf(tasks);
  if (!made.includes(group))
    throw new TeuError({
      code: "unsupported",
      op: "set schemata",
      subject: group,
      message: "this class of service was there before the container, and is not for it alone",
    });
  try {
    // Together: the kernel takes all or none.
    kernel.fs.writeTextAt(AT_FDCWD, `${group}/schemata`, `${lines.join("\n")}\n`);
  } catch (error) {
    throw resctrlError(kernel, "set schemata", lines.join(" "), tasks, error);
  }
}

function classOf(tasks: readonly string[]): string {
  return (tasks[0] ?? "").replace(/\/tasks$/, "");
}

/** Puts a process in; its children will be there too. */
export function joinResctrl(kernel: Kernel, { tasks }: ResctrlRecord, pid: number): void {
  for (const path of tasks) {
    try {
      kernel.fs.writeTextAt(AT_FDCWD, path, `${pid}\n`);
    } catch (error) {
      throw resctrlError(kernel, "join resctrl group", path, tasks, error);
    }
  }
}

/** Removes what was the container's own. */
export function removeResctrl(kernel: Kernel, { made }: ResctrlRecord): void {
  for (const path of made.toReversed()) {
    try {
      kernel.fs.unlinkAt(AT_FDCWD, path, AT_REMOVEDIR);
    } catch (error) {
      if (!isSysError(error, "ENOENT")) throw error;
    }
  }
}

/** With what the kernel says in info/last_cmd_status. */
function resctrlError(kernel: Kernel, op: string, subject: string, tasks: readonly string[], cause: unknown): TeuError {
  let said = "";
  // The mount is above the class, or is the class.
  const group = classOf(tasks);
  for (const mount of [group, group.slice(0, group.lastIndexOf("/"))]) {
    try {
      said ||= kernel.fs.readTextAt(AT_FDCWD, `${mount}/info/last_cmd_status`, LIMIT).trim();
    } catch (error) {
      if (!isSysError(error)) throw error;
    }
  }
  return new TeuError({ code: "invalid", op, subject, message: said === "" ? "the kernel refuses" : said, cause });
}
