// Where this host's cgroup hierarchies are mounted and where this process is in them: v2, v1, or both (hybrid).
// Looks first where everybody mounts them, so that the cost does not grow with the host's mounts; mountinfo only when that fails.
// What is there is decided by the kind of file system, never by a name: a plain directory called "hugetlb" is no hierarchy.
// portable: no host types here.

import { AT_FDCWD, CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC } from "@teu/sys/constants/fs";
import type { LinuxResources } from "@teu/specs/runtime";
import type { Kernel } from "@teu/sys/kernel";

/** One mounted hierarchy. */
export interface Hierarchy {
  /** "memory", "cpu,cpuacct", "name=systemd"; "" for cgroup v2. */
  readonly controllers: string;
  /** Mount point, without a trailing slash. */
  readonly mount: string;
  /** This process's cgroup below the mount: "/", "/a/b". */
  readonly own: string;
}

/** What the host has. "unified": v2 alone; "legacy": v1, with v2 beside it in `hierarchies` when hybrid; "none": no cgroups. */
export interface CgroupLayout {
  readonly kind: "unified" | "legacy" | "none";
  readonly hierarchies: readonly Hierarchy[];
}

/** Of a host without, or of a container that is to have none. */
export const NO_CGROUPS: CgroupLayout = { kind: "none", hierarchies: [] };

const BASE = "/sys/fs/cgroup";
const LIMIT = 1 << 20;

/**
 * Controllers of v1 that do nothing for a container without a limit of theirs. The kernel goes on naming such a hierarchy when it is
 * mounted nowhere any more, or in another mount namespace only: who sets no such limit need not search all of the host's mounts for it.
 */
const IDLE: Readonly<Record<string, (resources: LinuxResources) => boolean>> = {
  hugetlb: ({ hugepageLimits = [] }) => hugepageLimits.length > 0,
  net_cls: ({ network }) => network?.classID !== undefined,
  net_prio: ({ network }) => (network?.priorities ?? []).length > 0,
};

/** Finds the layout for a container with these limits; five to fifteen system calls. */
export function detectCgroups(kernel: Kernel, resources: LinuxResources = {}): CgroupLayout {
  const memberships = parseOwnCgroups(kernel.fs.readTextAt(AT_FDCWD, "/proc/self/cgroup", LIMIT));
  const unified = kernel.fs.filesystemType(BASE) === CGROUP2_SUPER_MAGIC;
  const hierarchies = unified
    ? memberships
        .filter(([controllers]) => controllers === "")
        .map(([controllers, own]) => ({ controllers, mount: BASE, own }))
    : memberships.map(([controllers, own]) => ({ controllers, mount: `${BASE}/${usualName(controllers)}`, own }));
  const isThere = ({ controllers, mount, own }: Hierarchy): boolean =>
    kernel.fs.filesystemType(own === "/" ? mount : `${mount}${own}`) ===
    (controllers === "" ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
  // A mount that is listed may be hidden below another one.
  const found = hierarchies.filter(isThere);
  const missing = hierarchies.filter((one) => !found.includes(one));
  const matters = ({ controllers }: Hierarchy): boolean =>
    controllers.split(",").some((name) => IDLE[name]?.(resources) ?? true);
  const enough = found.length > 0 && !missing.some(matters);
  const present = enough ? found : fromMountinfo(kernel, memberships).filter(isThere);
  if (present.length === 0) return NO_CGROUPS;
  return { kind: present.some((one) => one.controllers !== "") ? "legacy" : "unified", hierarchies: present };
}

/** Lines `id:controllers:path` of /proc/self/cgroup as [controllers, path]. */
export function parseOwnCgroups(text: string): [string, string][] {
  const out: [string, string][] = [];
  for (const line of text.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first < 0 || second < 0) continue;
    out.push([line.slice(first + 1, second), line.slice(second + 1)]);
  }
  return out;
}

function usualName(controllers: string): string {
  return controllers === ""
    ? "unified"
    : controllers.startsWith("name=")
      ? controllers.slice("name=".length)
      : controllers;
}

function fromMountinfo(kernel: Kernel, memberships: readonly (readonly [string, string])[]): Hierarchy[] {
  const mounts = parseCgroupMounts(kernel.fs.readTextAt(AT_FDCWD, "/proc/self/mountinfo", 64 << 20));
  const out: Hierarchy[] = [];
  for (const [controllers, path] of memberships) {
    const wanted = new Set(controllers.split(","));
    const mount = mounts.find((one) =>
      controllers === "" ? one.version === 2 : one.options.some((option) => wanted.has(option)),
    );
    if (mount === undefined) continue;
    // In a container the mount shows a part of the tree: its root is a prefix of our path.
    const own = mount.root === "/" ? path : path.startsWith(mount.root) ? path.slice(mount.root.length) || "/" : "/";
    out.push({ controllers, mount: mount.point, own });
  }
  return out;
}

interface CgroupMount {
  readonly version: 1 | 2;
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

/** The cgroup mounts among the lines of mountinfo, see proc_pid_mountinfo(5). */
export function parseCgroupMounts(text: string): CgroupMount[] {
  const out: CgroupMount[] = [];
  for (const line of text.split("\n")) {
    const separator = line.indexOf(" - cgroup");
    if (separator < 0) continue;
    const [, , , root = "/", point = ""] = line.slice(0, separator).split(" ");
    const [fstype, , options = ""] = line.slice(separator + 3).split(" ");
    out.push({
      version: fstype === "cgroup2" ? 2 : 1,
      root: unescape(root),
      point: unescape(point),
      options: options.split(","),
    });
  }
  return out;
}

function unescape(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
