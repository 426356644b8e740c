// Which parts of a container CRIU must not take into its images, nor make anew from them: they come from outside, from config.json.
// At checkpoint they get names, at restore the same names get sources. Pure.
// portable: no host types here.

import type { CgroupPlan } from "../cgroup/plan.ts";
import type { NamespacePlan } from "../namespaces.ts";
import type { StartPlan } from "../start-plan.ts";
import { unsupportedConfig } from "../../failure.ts";
import type { ExternalMount } from "./criu-messages.ts";
import type { MountEntry } from "./facts.ts";

/** A mount from outside. */
export interface ExternalPlace {
  /** Its place in the container by config.json. */
  readonly path: string;
  /** Under which it is known in the images: as runc does it the path, and "/dev/null" for all that it covers. */
  readonly name: string;
  /** On the host. */
  readonly source: string;
  /** With all that is mounted below it (rbind). */
  readonly recursive: boolean;
  /** Only external where /dev/null covers a file; directories are covered by a tmpfs of the container's own. */
  readonly mask: boolean;
}

const NULL = "/dev/null";

/** Bind mounts, views of cgroups, masked files, and in a user namespace devices, which are bound there. Throws `unsupported`. */
export function externalPlaces(plan: StartPlan): ExternalPlace[] {
  const places: ExternalPlace[] = [];
  for (const { kind, destination, source, options, idmap, at } of plan.mounts) {
    // Restored, it would show the ids of its file system.
    if (idmap !== null) throw unsupportedConfig(at, "CRIU cannot restore an idmapped mount");
    if (kind === "bind") places.push(place(destination, source, options.recursive));
    if (kind === "cgroup") places.push(...cgroupPlaces(plan.cgroup, destination));
  }
  for (const path of plan.maskedPaths) places.push({ ...place(path, NULL), name: NULL, mask: true });
  if (plan.devices !== null && plan.namespaces.has.has("user"))
    for (const { path } of plan.devices) places.push(place(path, path));
  return places;
}

function place(path: string, source: string, recursive = false): ExternalPlace {
  return { path, source, recursive, name: path, mask: false };
}

/** On v1 the mount is a tmpfs of the container's own with one view for each hierarchy. */
function cgroupPlaces(plan: CgroupPlan, destination: string): ExternalPlace[] {
  if (plan.kind === "unified") return plan.directories.slice(0, 1).map(({ path }) => place(destination, path));
  return plan.directories.map(({ mount, path }) =>
    place(`${destination}/${mount.slice(mount.lastIndexOf("/") + 1)}`, path),
  );
}

/** For a checkpoint: real mount point and name of what is external of the mounts that there are. */
export function dumpMounts(
  places: readonly ExternalPlace[],
  found: ReadonlyMap<string, MountEntry>,
  all: readonly MountEntry[],
): ExternalMount[] {
  const out: ExternalMount[] = [];
  const known = new Set([...found.values()].map(({ point }) => point));
  for (const { path, name, recursive, mask } of places) {
    const entry = found.get(path);
    if (entry === undefined || (mask && !entry.root.endsWith("/null"))) continue;
    out.push({ key: entry.point, value: name });
    if (!recursive) continue;
    for (const { point } of all)
      if (point.startsWith(`${entry.point}/`) && !known.has(point))
        out.push({ key: point, value: `${name}${point.slice(entry.point.length)}` });
  }
  return unique(out);
}

/** For a restore: name and source. `host`: the mounts of this process, for what is mounted below a recursive bind. */
export function restoreMounts(places: readonly ExternalPlace[], host: readonly MountEntry[]): ExternalMount[] {
  const out: ExternalMount[] = [];
  for (const { name, source, recursive } of places) {
    out.push({ key: name, value: source });
    if (!recursive) continue;
    for (const { point } of host)
      if (point.startsWith(source === "/" ? "/" : `${source}/`) && point !== "/")
        out.push({ key: `${name}${point.slice(source === "/" ? 0 : source.length)}`, value: point });
  }
  return unique(out);
}

/** The last of several over the same place is the one that is seen. */
function unique(mounts: readonly ExternalMount[]): ExternalMount[] {
  return [...new Map(mounts.map((mount) => [mount.key, mount])).values()];
}

/** The names under which runc's images have them. */
export const NAMESPACE_KEYS = { network: "extRootNetNS", pid: "extRootPidNS" } as const;

/** How namespaces that config.json joins by path come back. */
export interface JoinPlan {
  /** Not in the images at all: an fd is inherited under a key. */
  readonly inherited: readonly { readonly type: keyof typeof NAMESPACE_KEYS; readonly path: string }[];
  /** In the images, but CRIU enters them instead of making new ones. */
  readonly entered: readonly { readonly kind: string; readonly path: string }[];
}

/** Throws `unsupported` for kinds that CRIU can neither leave alone nor enter. */
export function planJoins({ joinsBefore, joinsInside, hostMount }: NamespacePlan): JoinPlan {
  if (hostMount)
    throw unsupportedConfig("linux.namespaces", "CRIU needs a container with a mount namespace of its own");
  const inherited: { type: keyof typeof NAMESPACE_KEYS; path: string }[] = [];
  const entered: { kind: string; path: string }[] = [];
  for (const { type, path } of [...joinsBefore, ...joinsInside]) {
    if (type === "network" || type === "pid") inherited.push({ type, path });
    else if (type === "ipc" || type === "uts" || type === "time") entered.push({ kind: type, path });
    else throw unsupportedConfig("linux.namespaces", `CRIU cannot enter a ${type} namespace that is joined by path`);
  }
  return { inherited, entered };
}
