// Cgroups that a runtime left behind because it was killed before it had written down that they exist: its own `delete` knows
// nothing of them. Only those that carry the container's id in their name are touched.
// portable: no host types here.

import { AT_FDCWD, AT_REMOVEDIR, DT_DIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";
import { SIGKILL } from "@teu/sys/constants/process";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { EventLoop } from "../loop/event-loop.ts";
import { sleep } from "../loop/task.ts";
import type { Task } from "../loop/task.ts";
import { readProc } from "../process/process-facts.ts";

const CONFIG_LIMIT = 16 << 20;
// A killed process leaves its cgroup when it is gone from the scheduler, which takes a moment.
const TRIES = 100;
const PAUSE_MS = 10;

/** Kills and removes them, as far as config.json of `bundle` says where they would be. */
export function* removeLeftoverCgroups(kernel: Kernel, loop: EventLoop, bundle: string, id: string): Task<void> {
  const path = cgroupsPath(kernel, bundle);
  if (path === undefined || !path.startsWith("/") || !(path.split("/").at(-1) ?? "").includes(id)) return;
  for (const point of cgroupPoints(readProc(kernel, "self", "mountinfo"))) {
    yield* removeCgroup(kernel, loop, `${point}${path}`);
  }
}

/** Mount points of all cgroup hierarchies. */
export function cgroupPoints(mountinfo: string): string[] {
  const points: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    if (/^cgroup2? /.test(after)) points.push(before.split(" ")[4] ?? "");
  }
  return points;
}

function cgroupsPath(kernel: Kernel, bundle: string): string | undefined {
  try {
    const config = JSON.parse(kernel.fs.readTextAt(AT_FDCWD, `${bundle}/config.json`, CONFIG_LIMIT)) as {
      linux?: { cgroupsPath?: unknown };
    } | null;
    const path = config?.linux?.cgroupsPath;
    return typeof path === "string" && !path.split("/").includes("..") ? path : undefined;
  } catch (error) {
    // A bundle without a readable config.json never had a container.
    if (isSysError(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function* removeCgroup(kernel: Kernel, loop: EventLoop, directory: string): Task<void> {
  for (let left = TRIES; ; left--) {
    try {
      if (!kernel.fs.accessAt(AT_FDCWD, directory, 0)) return;
      killAll(kernel, directory);
      for (const child of children(kernel, directory)) yield* removeCgroup(kernel, loop, `${directory}/${child}`);
      kernel.fs.unlinkAt(AT_FDCWD, directory, AT_REMOVEDIR);
      return;
    } catch (error) {
      if (isSysError(error, "ENOENT")) return;
      if (!isSysError(error, "EBUSY") || left === 0) throw error;
      yield* sleep(loop, PAUSE_MS);
    }
  }
}

function killAll(kernel: Kernel, directory: string): void {
  for (const pid of kernel.fs.readTextAt(AT_FDCWD, `${directory}/cgroup.procs`, 1 << 20).split("\n")) {
    try {
      if (pid !== "") kernel.process.kill(Number(pid), SIGKILL);
    } catch (error) {
      if (!isSysError(error, "ESRCH")) throw error;
    }
  }
}

function children(kernel: Kernel, directory: string): string[] {
  const fd = kernel.fs.openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  try {
    return kernel.fs
      .readDir(fd)
      .filter((entry) => entry.type === DT_DIR)
      .map((entry) => entry.name);
  } finally {
    kernel.fs.close(fd);
  }
}
