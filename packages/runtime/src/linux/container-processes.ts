// The processes of a container: those of its cgroup; where it could have none (rootless), those of its pid namespace and what they
// started, or without a pid namespace of its own its first process and what that started.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { ContainerRecord } from "../container/record.ts";
import { isAlive } from "../container/status.ts";
import { cgroupPids, signalCgroup, signalPid } from "./cgroup/control.ts";

/** Rounds in which processes that fork meanwhile are caught. */
const ROUNDS = 20;

/** Host pids of all of them. */
export function containerPids(kernel: Kernel, record: ContainerRecord): number[] {
  return record.cgroup.directories.length > 0 ? cgroupPids(kernel, record.cgroup) : kinOf(kernel, record);
}

/** Sends a signal to all of them. */
export function signalAll(kernel: Kernel, record: ContainerRecord, signal: number): void {
  if (record.cgroup.directories.length > 0) return signalCgroup(kernel, record.cgroup, signal);
  const done = new Set<number>();
  if (!isAlive(kernel, record)) return;
  // The first process last: the others are known by it.
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = kinOf(kernel, record).filter((pid) => pid !== record.pid && !done.has(pid));
    for (const pid of fresh) {
      signalPid(kernel, pid, signal);
      done.add(pid);
    }
    if (fresh.length === 0 || signal !== SIGKILL) break;
  }
  signalPid(kernel, record.pid, signal);
}

function kinOf(kernel: Kernel, record: ContainerRecord): number[] {
  if (!isAlive(kernel, record)) return [];
  const namespace = record.ownPidNamespace ? namespaceOf(kernel, record.pid) : "";
  const parents = new Map<number, number>();
  const kin = new Set([record.pid]);
  for (const pid of allPids(kernel)) {
    const stat = kernel.process.processStat(pid);
    if (stat === null || stat.letter === "Z") continue;
    parents.set(pid, stat.parent);
    if (namespace !== "" && namespaceOf(kernel, pid) === namespace) kin.add(pid);
  }
  const isKin = (pid: number): boolean => {
    const seen: number[] = [];
    for (let at: number | undefined = pid; at !== undefined && at !== 0; at = parents.get(at)) {
      if (kin.has(at)) {
        for (const one of seen) kin.add(one);
        return true;
      }
      seen.push(at);
    }
    return false;
  };
  return [...parents.keys()].filter(isKin).sort((a, b) => a - b);
}

function allPids({ fs }: Kernel): number[] {
  const proc = fs.openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  try {
    return fs
      .readDir(proc)
      .filter(({ name }) => /^\d+$/.test(name))
      .map(({ name }) => Number(name));
  } finally {
    fs.close(proc);
  }
}

/** "" when it cannot be seen: then it is another user's, or gone. */
function namespaceOf(kernel: Kernel, pid: number): string {
  try {
    return kernel.fs.readlinkAt(AT_FDCWD, `/proc/${pid}/ns/pid`);
  } catch (error) {
    if (isSysError(error, "EACCES") || isSysError(error, "ENOENT") || isSysError(error, "ESRCH")) return "";
    throw error;
  }
}
