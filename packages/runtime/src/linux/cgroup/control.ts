// Acts on the processes of a container's cgroup: list, freeze, thaw, kill. For pause, resume, ps, kill and delete.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { pidsBelow, readOrNull } from "./members.ts";
import { type CgroupRecord, cgroupDirectory, freezerFile } from "./record.ts";

const FREEZE_TRIES = 500;

/** Host pids of every process in the cgroup and below it. */
export function cgroupPids(kernel: Kernel, record: CgroupRecord): number[] {
  const path = cgroupDirectory(record, "devices") ?? cgroupDirectory(record, "") ?? record.directories[0]?.path;
  return path === undefined ? [] : pidsBelow(kernel, path);
}

/** Is the container paused? By its `freezerFile`. */
export function isFrozen(kernel: Kernel, file: string): boolean {
  if (file === "") return false;
  const frozen = file.endsWith("/freezer.state") ? "FROZEN" : "1";
  return readOrNull(kernel, file)?.trim() === frozen;
}

/** Stops or lets go all processes, and waits until it is so. Throws `unsupported` without a freezer. */
export function setFrozen(kernel: Kernel, record: CgroupRecord, frozen: boolean): void {
  const legacy = cgroupDirectory(record, "freezer");
  const unified = cgroupDirectory(record, "");
  if (legacy !== null) return setLegacy(kernel, legacy, frozen);
  if (unified === null) {
    throw new TeuError({
      code: "unsupported",
      op: frozen ? "pause container" : "resume container",
      message: "cannot toggle freezer: cgroups not configured for container",
    });
  }
  kernel.fs.writeTextAt(AT_FDCWD, `${unified}/cgroup.freeze`, frozen ? "1" : "0");
  const wanted = `frozen ${frozen ? 1 : 0}`;
  for (let tries = 0; tries < FREEZE_TRIES; tries++) {
    if (readOrNull(kernel, `${unified}/cgroup.events`)?.includes(wanted) === true) return;
    kernel.host.sleepMs(2);
  }
  throw new TeuError({ code: "timeout", op: "freeze cgroup", subject: unified, message: "some process does not stop" });
}

function setLegacy(kernel: Kernel, path: string, frozen: boolean): void {
  const goal = frozen ? "FROZEN" : "THAWED";
  for (let tries = 0; tries < FREEZE_TRIES; tries++) {
    // Written again each time: v1 gives up when a process forks meanwhile.
    kernel.fs.writeTextAt(AT_FDCWD, `${path}/freezer.state`, goal);
    if (readOrNull(kernel, `${path}/freezer.state`)?.trim() === goal) return;
    kernel.host.sleepMs(2);
  }
  // Never leave it half frozen.
  if (frozen) kernel.fs.writeTextAt(AT_FDCWD, `${path}/freezer.state`, "THAWED");
  throw new TeuError({ code: "timeout", op: "freeze cgroup", subject: path, message: "some process does not stop" });
}

/** Sends a signal to every process. KILL on v2 is one write; on v1 they are frozen first, so that none escapes by forking. */
export function signalCgroup(kernel: Kernel, record: CgroupRecord, signal: number): void {
  const unified = cgroupDirectory(record, "");
  if (signal === SIGKILL && unified !== null && tryWrite(kernel, `${unified}/cgroup.kill`, "1")) {
    thawIfFrozen(kernel, record);
    return;
  }
  const freezer = cgroupDirectory(record, "freezer");
  if (freezer !== null) tryWrite(kernel, `${freezer}/freezer.state`, "FROZEN");
  try {
    for (const pid of cgroupPids(kernel, record)) signalPid(kernel, pid, signal);
  } finally {
    if (freezer !== null) tryWrite(kernel, `${freezer}/freezer.state`, "THAWED");
  }
}

/** A frozen process takes its SIGKILL only when thawed (v1). */
export function thawIfFrozen(kernel: Kernel, record: CgroupRecord): void {
  const freezer = cgroupDirectory(record, "freezer");
  if (freezer !== null && isFrozen(kernel, freezerFile(record))) tryWrite(kernel, `${freezer}/freezer.state`, "THAWED");
}

/** One process; one that is gone is fine. */
export function signalPid(kernel: Kernel, pid: number, signal: number): void {
  try {
    kernel.process.kill(pid, signal);
  } catch (error) {
    if (!isSysError(error, "ESRCH")) throw error;
  }
}

function tryWrite(kernel: Kernel, path: string, value: string): boolean {
  try {
    kernel.fs.writeTextAt(AT_FDCWD, path, value);
    return true;
  } catch (error) {
    if (isSysError(error, "ENOENT") || isSysError(error, "ENODEV") || isSysError(error, "EOPNOTSUPP")) return false;
    throw error;
  }
}
