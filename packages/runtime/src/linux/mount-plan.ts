// Which mounts a container gets, decided from config.json alone (runtime-spec, "Mounts"); mount-apply.ts makes them.
// Refuses what must never be mounted: anything over /proc but a procfs and an allow-list of files (CVE-2019-16884).
// portable: no host types here.

import type { Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { type IdmapPlan, planIdmap } from "./idmap-plan.ts";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";
import { cleanPath } from "./rootfs-path.ts";

/** One mount to make. */
export interface MountStep {
  readonly kind: "bind" | "filesystem" | "cgroup" | "remount";
  /** Clean absolute path inside the container. */
  readonly destination: string;
  /** Host path of a bind (absolute), or the name shown as source. */
  readonly source: string;
  readonly fstype: string;
  readonly options: MountOptions;
  /** Resolution must not meet a symlink: /proc and /sys (CVE-2019-19921, 2023-27561). */
  readonly strict: boolean;
  /** The ids that the mount shows instead of its file system's; null: the same. */
  readonly idmap: IdmapPlan | null;
  /** The target may be a file of procfs. */
  readonly onProc: boolean;
  /** JSON path, for errors. */
  readonly at: string;
}

/** What lxcfs and its like put over single files of /proc. */
const PROC_FILES: ReadonlySet<string> = new Set([
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/loadavg",
  "/proc/slabinfo",
  "/proc/net/dev",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/sys/crypto/fips_enabled",
]);

/** The steps for `spec.mounts`, in order. Relative bind sources are taken from `bundle`. Throws TeuError `invalid`. */
export function planMounts(spec: Spec, bundle: string): MountStep[] {
  return (spec.mounts ?? []).map((mount, index) => {
    const at = `mounts[${index}]`;
    const options = labelled(parseMountOptions(mount.options ?? []), mount.type ?? "", spec.linux?.mountLabel ?? "");
    const destination = cleanPath(mount.destination);
    const bind = options.bind || mount.type === "bind";
    const fstype = bind ? "bind" : (mount.type ?? "");
    const kind = options.remount
      ? "remount"
      : bind
        ? "bind"
        : fstype === "cgroup" || fstype === "cgroup2"
          ? "cgroup"
          : "filesystem";
    if (destination === "/") throw invalidConfig(`${at}.destination`, "is the root of the container; use root.path");
    if (kind === "filesystem" && fstype === "")
      throw invalidConfig(`${at}.type`, "missing, and the mount is not a bind");
    if (bind && (mount.source ?? "") === "") throw invalidConfig(`${at}.source`, "missing, but the mount is a bind");
    const idmap = planIdmap(spec, mount, options, at);
    if (idmap !== null && kind !== "bind") throw invalidConfig(`${at}.options`, "only a bind mount can be idmapped");
    refuseLinkOptions(options, kind, at);
    // A word that is no option is more likely a misspelt one than anything else: "nosiud" must not pass for nothing.
    const word = bind ? options.data.find((item) => !item.includes("=")) : undefined;
    if (word !== undefined)
      throw invalidConfig(`${at}.options`, `${JSON.stringify(word)} is not an option of a bind mount`);
    refuseOverProc(destination, fstype, mount.source ?? "", at);
    const source = mount.source ?? (fstype === "" ? "" : fstype);
    return {
      kind,
      destination,
      fstype,
      options,
      idmap,
      at,
      source: bind && !source.startsWith("/") ? `${bundle}/${source}` : source,
      strict: fstype === "proc" || fstype === "sysfs" || destination === "/proc",
      onProc: PROC_FILES.has(destination),
    };
  });
}

/** File systems that take no SELinux context, or have one by the policy. */
const UNLABELLED: ReadonlySet<string> = new Set(["", "bind", "none", "proc", "sysfs", "mqueue"]);

/** What file system data says about the SELinux context of all that is in it. */
export function labelData(mountLabel: string): readonly string[] {
  return mountLabel === "" ? [] : [`context=${mountLabel}`];
}

function labelled(options: MountOptions, fstype: string, mountLabel: string): MountOptions {
  const own = options.data.some((item) => /^(context|fscontext|defcontext|rootcontext)=/.test(item));
  if (mountLabel === "" || own || options.bind || options.remount || UNLABELLED.has(fstype)) return options;
  return { ...options, data: [...options.data, ...labelData(mountLabel)] };
}

/** Ignored, they would mount what the link leads to. */
function refuseLinkOptions(options: MountOptions, kind: MountStep["kind"], at: string): void {
  const given = options.copySymlink || options.sourceNoFollow || options.destinationNoFollow;
  if (given && kind !== "bind")
    throw invalidConfig(`${at}.options`, "copy-symlink, src-nofollow and dest-nofollow are for bind mounts");
}

/**
 * What to tell about mounts that are made nevertheless: mount(2) ignores file system options of a bind, so callers (and the
 * specification's own validation) have come to write them.
 */
export function mountWarnings(mounts: readonly MountStep[]): string[] {
  return mounts
    .filter(({ kind, options }) => kind === "bind" && options.data.length > 0)
    .map(
      ({ at, options }) =>
        `${at}.options: a bind mount takes no file system options: ${JSON.stringify(options.data.join(","))} has no effect`,
    );
}

function refuseOverProc(destination: string, fstype: string, source: string, at: string): void {
  if (destination === "/proc") {
    // A bind of the host's /proc is how containers without a pid namespace of their own get one; it is checked when made.
    if (fstype !== "proc" && !(fstype === "bind" && cleanPath(source) === "/proc")) {
      throw invalidConfig(
        `${at}.destination`,
        `only a procfs can be mounted on "/proc", not ${JSON.stringify(fstype)}`,
      );
    }
  } else if (destination.startsWith("/proc/") && !PROC_FILES.has(destination)) {
    throw invalidConfig(
      `${at}.destination`,
      `${JSON.stringify(destination)} cannot be mounted because it is inside /proc`,
    );
  }
}
