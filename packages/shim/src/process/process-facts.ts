// What /proc says about a container's init: is it the first of its own pid namespace, which cgroups is it in.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import { AT_FDCWD } from "@teu/sys/constants/fs";

/** Is `status` (/proc/PID/status) that of a pid namespace's init? Such a death takes all processes of the namespace along. */
export function isNamespaceInit(status: string): boolean {
  const pids = /^NSpid:\s*(.+)$/m.exec(status)?.[1]?.trim().split(/\s+/) ?? [];
  return pids.length > 1 && pids.at(-1) === "1";
}

/** Path of the cgroup that `text` (/proc/PID/cgroup) names for `controller`, "" for the v2 hierarchy; undefined: none. */
export function cgroupPath(text: string, controller: string): string | undefined {
  for (const line of text.split("\n")) {
    const [, controllers = "", ...path] = line.split(":");
    if (path.length > 0 && controllers.split(",").includes(controller)) return path.join(":");
  }
  return undefined;
}

/** Directory of the hierarchy in `mountinfo` that has `controller` ("" for v2), and the path that is its root there. */
export function cgroupMount(
  mountinfo: string,
  controller: string,
): { readonly point: string; readonly root: string } | undefined {
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = before.split(" ");
    const [fstype, , options = ""] = after.split(" ");
    const wanted =
      controller === "" ? fstype === "cgroup2" : fstype === "cgroup" && options.split(",").includes(controller);
    if (wanted) return { point, root };
  }
  return undefined;
}

/** Reads /proc/PID/NAME, at most 64 KiB. */
export function readProc(kernel: Kernel, pid: number | "self", name: string): string {
  return kernel.fs.readTextAt(AT_FDCWD, `/proc/${pid}/${name}`, 1 << 20);
}
