// Makes, joins, limits and removes a container's cgroup. Decisions are in plan.ts.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY, O_WRONLY, F_OK } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { deviceProgram } from "./device-program.ts";
import { refuseOccupied, subdirectories } from "./members.ts";
import type { CgroupDirectory, CgroupPlan } from "./plan.ts";
import type { CgroupRecord } from "./record.ts";
import type { SystemdBus } from "./systemd/bus.ts";
import { startUnit, stopUnit } from "./systemd/driver.ts";
import { type Waiver, waiveDevices, waiveDirectory } from "./waive.ts";

const LIMIT = 1 << 20;
const REMOVE_TRIES = 12;

/** A made cgroup. The creator closes `unifiedFd`. */
export interface CgroupHandle {
  readonly plan: CgroupPlan;
  /** Directory fd on cgroup v2 (also of a hybrid layout) for CLONE_INTO_CGROUP; -1 when there is none. */
  readonly unifiedFd: number;
  /** Directories that the kernel refused and the container does without: there it stays where this process is. */
  readonly refused: readonly CgroupDirectory[];
}

/** The part of a plan that the state file keeps. */
export function cgroupRecord(plan: CgroupPlan): CgroupRecord {
  const directories = plan.directories.map(({ controllers, path }) => ({ controllers, path }));
  const { kind, unit } = plan;
  return { kind, directories, ...(unit === undefined ? {} : { unit: { name: unit.name, user: unit.user } }) };
}

/**
 * Makes the directory of cgroup v2, into which the child is born, with its limits. What the other hierarchies need is left to
 * `fillCgroup`. Whoever calls removes the cgroup when this fails, but for the directories that this puts into `others`: processes
 * that are not the container's live there (`conflict`).
 */
export function createCgroup(kernel: Kernel, plan: CgroupPlan, others: Set<string>, waiver: Waiver): CgroupHandle {
  const unified = plan.directories.find(({ controllers }) => controllers === "");
  if (unified === undefined) return { plan, unifiedFd: -1, refused: [] };
  try {
    makeDirectory(kernel, unified, others);
  } catch (error) {
    waiveDirectory(kernel, unified, waiver, error);
    return withoutDirectories({ plan, unifiedFd: -1, refused: [] }, [unified.path]);
  }
  if (plan.kind === "unified") enableControllers(kernel, unified);
  const unifiedFd = kernel.fs.openat(AT_FDCWD, unified.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  try {
    applyWrites(kernel, unified);
    if (plan.kind === "unified") attachDevices(kernel, plan, unifiedFd, waiver);
    return { plan, unifiedFd, refused: [] };
  } catch (error) {
    kernel.fs.close(unifiedFd);
    throw error;
  }
}

/**
 * Makes the directories of v1 and writes their limits. The child joins them (`joinCgroup`) when it is told that they are there.
 * Returns the paths of those that the container has to do without.
 */
export function fillCgroup(kernel: Kernel, { plan }: CgroupHandle, others: Set<string>, waiver: Waiver): string[] {
  const refused: string[] = [];
  for (const directory of plan.directories) {
    if (directory.controllers === "") continue;
    try {
      makeDirectory(kernel, directory, others);
    } catch (error) {
      waiveDirectory(kernel, directory, waiver, error);
      refused.push(directory.path);
      continue;
    }
    try {
      applyWrites(kernel, directory);
    } catch (error) {
      if (directory.controllers !== "devices") throw error;
      waiveDevices(kernel, waiver, error);
    }
  }
  return refused;
}

/** The handle without some directories, which are remembered as refused. */
export function withoutDirectories(handle: CgroupHandle, paths: readonly string[]): CgroupHandle {
  if (paths.length === 0) return handle;
  const { plan } = handle;
  const gone = ({ path }: CgroupDirectory): boolean => paths.includes(path);
  return {
    plan: { ...plan, directories: plan.directories.filter((one) => !gone(one)) },
    unifiedFd: handle.unifiedFd,
    refused: [...handle.refused, ...plan.directories.filter(gone)],
  };
}

/** Tells systemd of the cgroup and of `pid` in it, and sets all limits again: it may have set its own meanwhile. */
export function tellSystemd(kernel: Kernel, bus: SystemdBus, { plan }: CgroupHandle, pid: number): void {
  if (plan.unit === undefined) return;
  startUnit(bus, plan.unit, pid);
  for (const directory of plan.directories) applyWrites(kernel, directory);
}

/**
 * Moves this process, which has one thread, into every v1 directory; v2's it was born in. A thread that moves itself ("0" in
 * "tasks") needs no global lock in the kernel, whereas "cgroup.procs" waits for an RCU grace period: several milliseconds.
 */
export function joinCgroup(kernel: Kernel, record: CgroupRecord): void {
  for (const { controllers, path } of record.directories) {
    if (controllers === "") continue;
    try {
      kernel.fs.writeTextAt(AT_FDCWD, `${path}/tasks`, "0");
    } catch (error) {
      throw new TeuError({ code: "internal", op: "join cgroup", subject: path, message: "refused", cause: error });
    }
  }
}

/** Removes the directories with all below them; EBUSY is waited out for about a second. Missing ones are fine. */
export function removeCgroup(kernel: Kernel, record: CgroupRecord): void {
  let failure: unknown;
  if (record.unit !== undefined) {
    try {
      stopUnit(kernel, record.unit);
    } catch (error) {
      failure = error;
    }
  }
  for (const { path } of record.directories) {
    try {
      removeDirectory(kernel, path);
    } catch (error) {
      failure ??= new TeuError({
        code: "internal",
        op: "remove cgroup",
        subject: path,
        message: "still busy",
        cause: error,
      });
    }
  }
  if (failure !== undefined) throw failure;
}

/** Writes a planned directory's files; the device list goes through one fd per file, in order. */
export function applyWrites(kernel: Kernel, directory: Pick<CgroupDirectory, "path" | "writes">): void {
  let open = { file: "", fd: -1 };
  try {
    for (const write of directory.writes) {
      const { file, value } = write;
      if (write.orElse !== undefined && !kernel.fs.accessAt(AT_FDCWD, `${directory.path}/${file}`, F_OK)) {
        if (write.orElse !== null)
          applyWrites(kernel, { path: directory.path, writes: [{ controller: write.controller, ...write.orElse }] });
        continue;
      }
      if (open.file !== file) {
        if (open.fd >= 0) kernel.fs.close(open.fd);
        open = { file: "", fd: -1 };
        open = { file, fd: openFile(kernel, directory.path, file, value) };
      }
      writeValue(kernel, open.fd, directory.path, file, value);
    }
  } finally {
    if (open.fd >= 0) kernel.fs.close(open.fd);
  }
}

function openFile(kernel: Kernel, path: string, file: string, value: string): number {
  try {
    return kernel.fs.openat(AT_FDCWD, `${path}/${file}`, O_WRONLY | O_CLOEXEC, 0);
  } catch (error) {
    throw limitError(path, file, value, error);
  }
}

function writeValue(kernel: Kernel, fd: number, path: string, file: string, value: string): void {
  try {
    kernel.fs.write(fd, value);
  } catch (error) {
    throw limitError(path, file, value, error);
  }
}

function limitError(path: string, file: string, value: string, cause: unknown): TeuError {
  const missing = isSysError(cause, "ENOENT");
  return new TeuError({
    code: missing ? "unsupported" : "invalid",
    op: "set cgroup limit",
    subject: `${path}/${file}`,
    message: missing ? "this kernel has no such limit" : `the kernel refuses ${JSON.stringify(value)}`,
    ...(missing ? {} : { cause }),
  });
}

function makeDirectory(kernel: Kernel, directory: CgroupDirectory, others: Set<string>): void {
  const { fs } = kernel;
  const needsCpus = directory.controllers.split(",").includes("cpuset");
  try {
    fs.mkdirAt(AT_FDCWD, directory.path, 0o755);
    if (needsCpus) inheritCpus(kernel, directory.mount, directory.path);
  } catch (error) {
    if (isSysError(error, "EEXIST")) {
      others.add(directory.path);
      refuseOccupied(kernel, directory.path);
      others.delete(directory.path);
      return;
    }
    if (!isSysError(error, "ENOENT")) throw error;
    let path = directory.mount;
    for (const name of directory.path.slice(directory.mount.length + 1).split("/")) {
      path = `${path}/${name}`;
      try {
        fs.mkdirAt(AT_FDCWD, path, 0o755);
        if (needsCpus) inheritCpus(kernel, directory.mount, path);
      } catch (inner) {
        if (!isSysError(inner, "EEXIST")) throw inner;
      }
    }
  }
}

/**
 * A new v1 cpuset is empty, and nobody can join it before it has CPUs and memory nodes. A parent below `mount` that is empty as well has
 * been made by somebody who has not come to this yet: it gets what it would get from them.
 */
function inheritCpus(kernel: Kernel, mount: string, path: string): void {
  const parent = path.slice(0, path.lastIndexOf("/"));
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const read = (): string => kernel.fs.readTextAt(AT_FDCWD, `${parent}/${file}`, LIMIT).trim();
    let value = read();
    if (value === "" && parent.length > mount.length) {
      inheritCpus(kernel, mount, parent);
      value = read();
    }
    kernel.fs.writeTextAt(AT_FDCWD, `${path}/${file}`, value);
  }
}

/** v2: passes on, from the top, the controllers that the limits need and the directory lacks. */
function enableControllers(kernel: Kernel, directory: CgroupDirectory): void {
  const { fs } = kernel;
  const read = (path: string): Set<string> =>
    new Set(fs.readTextAt(AT_FDCWD, `${path}/cgroup.controllers`, LIMIT).trim().split(" "));
  const there = read(directory.path);
  const wanted = new Set(["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"]);
  for (const name of there) wanted.delete(name);
  if (wanted.size === 0) return;
  const names = directory.path.slice(directory.mount.length + 1).split("/");
  let path = directory.mount;
  for (const name of names) {
    const available = [...read(path)].filter((controller) => wanted.has(controller));
    for (const controller of available) {
      try {
        fs.writeTextAt(AT_FDCWD, `${path}/cgroup.subtree_control`, `+${controller}`);
      } catch (error) {
        // Processes live here, or it is not ours to give: a limit that needs it will say so itself.
        if (!isSysError(error)) throw error;
      }
    }
    path = `${path}/${name}`;
  }
}

function attachDevices(kernel: Kernel, plan: CgroupPlan, cgroupFd: number, waiver: Waiver): void {
  const last = plan.deviceRules.at(-1);
  if (last === undefined || (last.allow && last.type === "a")) return;
  try {
    attachDeviceProgram(kernel, plan, cgroupFd);
  } catch (error) {
    waiveDevices(kernel, waiver, error);
  }
}

function attachDeviceProgram({ bpf, fs }: Kernel, plan: CgroupPlan, cgroupFd: number): void {
  const program = bpf.loadCgroupDevice(deviceProgram(plan.deviceRules));
  try {
    const before = bpf.queryCgroupDevice(cgroupFd);
    const replace = before.length === 1 ? bpf.programById(before[0] ?? 0) : -1;
    try {
      bpf.attachCgroupDevice(cgroupFd, program, replace);
    } finally {
      if (replace >= 0) fs.close(replace);
    }
  } finally {
    fs.close(program);
  }
}

function removeDirectory(kernel: Kernel, path: string): void {
  for (let tries = 0; ; tries++) {
    try {
      kernel.fs.unlinkAt(AT_FDCWD, path, AT_REMOVEDIR);
      return;
    } catch (error) {
      if (isSysError(error, "ENOENT")) return;
      if (!isSysError(error, "EBUSY") || tries >= REMOVE_TRIES) throw error;
      // Either a child cgroup is left, or a process is still on its way out.
      removeChildren(kernel, path);
      if (tries > 0) kernel.host.sleepMs(Math.min(1 << tries, 200));
    }
  }
}

function removeChildren(kernel: Kernel, path: string): void {
  for (const name of subdirectories(kernel, path)) {
    try {
      removeChildren(kernel, `${path}/${name}`);
      kernel.fs.unlinkAt(AT_FDCWD, `${path}/${name}`, AT_REMOVEDIR);
    } catch (error) {
      if (!isSysError(error, "EBUSY") && !isSysError(error, "ENOENT")) throw error;
    }
  }
}
