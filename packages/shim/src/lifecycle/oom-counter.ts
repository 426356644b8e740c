// Did the kernel's OOM killer hit the container? Counters of its memory cgroup, found once while init lives
// (v1: memory.oom_control, v2: memory.events), read after its death and before the runtime removes the cgroup.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import { cgroupMount, cgroupPath, readProc } from "../process/process-facts.ts";

/** Path of the file with the `oom_kill` counter of the cgroup of `pid`; undefined where there is no memory controller. */
export function findOomFile(kernel: Kernel, pid: number): string | undefined {
  const cgroups = readProc(kernel, pid, "cgroup");
  const mountinfo = readProc(kernel, "self", "mountinfo");
  for (const [controller, file] of [
    ["memory", "memory.oom_control"],
    ["", "memory.events"],
  ] as const) {
    const mount = cgroupMount(mountinfo, controller);
    const path = cgroupPath(cgroups, controller);
    if (mount === undefined || path === undefined) continue;
    const below = mount.root !== "/" && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
    const candidate = `${mount.point}/${below}/${file}`.replace(/\/+/g, "/");
    if (kernel.fs.accessAt(AT_FDCWD, candidate, 0)) return candidate;
  }
  return undefined;
}

/** Value of `oom_kill` in the text of either file; 0 when it is not there (Linux before 4.13). */
export function oomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Was a process of the cgroup killed for want of memory? False when the cgroup is gone. */
export function wasOomKilled(kernel: Kernel, file: string | undefined): boolean {
  if (file === undefined) return false;
  try {
    return oomKills(kernel.fs.readTextAt(AT_FDCWD, file, 65_536)) > 0;
  } catch {
    return false; // removed already: what it knew is gone
  }
}
