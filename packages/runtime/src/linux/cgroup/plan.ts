// Which cgroup directories a container gets and what is written into them: from config.json and the host's layout, no kernel calls.
// portable: no host types here.

import type { LinuxResources } from "@teu/specs/runtime";
import { unsupportedConfig } from "../../failure.ts";
import { cleanPath } from "../rootfs-path.ts";
import { type AccessRule, deviceRuleLine, deviceRules } from "./device-rules.ts";
import type { CgroupLayout, Hierarchy } from "./layout.ts";
import { type CgroupWrite, planLegacyResources } from "./resources-legacy.ts";
import { planUnifiedResources } from "./resources-unified.ts";

/** One directory of one hierarchy. */
export interface CgroupDirectory {
  /** As in `Hierarchy`. */
  readonly controllers: string;
  readonly mount: string;
  /** Absolute path of the container's directory. */
  readonly path: string;
  readonly writes: readonly CgroupWrite[];
}

/** What to make. On "unified", `deviceRules` become a program. */
export interface CgroupPlan {
  readonly kind: CgroupLayout["kind"];
  readonly directories: readonly CgroupDirectory[];
  readonly deviceRules: readonly AccessRule[];
}

/**
 * Plans the cgroup of container `id`. An absolute `cgroupsPath` counts from each mount's root, a relative one (default: the id)
 * from where this process is, or on v2 from the parent of that, which alone may pass controllers on. Throws TeuError
 * `unsupported` for a limit whose controller is not there.
 */
export function planCgroup(layout: CgroupLayout, cgroupsPath: string, id: string, resources: LinuxResources): CgroupPlan {
  const rules = deviceRules(resources.devices ?? []);
  if (layout.kind === "none") return { kind: "none", directories: [], deviceRules: [] };
  const writes = layout.kind === "unified" ? planUnifiedResources(resources) : planLegacyResources(resources);
  const lines = layout.kind === "unified" ? [] : rules.map(deviceRuleLine).map((line) => ({ controller: "devices", ...line }));
  const all = [...writes, ...lines];
  const directories = layout.hierarchies.map((hierarchy) => ({
    controllers: hierarchy.controllers,
    mount: hierarchy.mount,
    path: directoryPath(hierarchy, layout.kind, cgroupsPath, id),
    writes: all.filter((write) => hasController(hierarchy, write.controller)),
  }));
  for (const write of writes) {
    if (!directories.some((directory) => hasController(directory, write.controller))) {
      throw unsupportedConfig("linux.resources", `${write.file} cannot be set: no cgroup hierarchy with the ${write.controller} controller is mounted`);
    }
  }
  return { kind: layout.kind, directories, deviceRules: layout.kind === "unified" ? rules : [] };
}

function hasController(hierarchy: { readonly controllers: string }, controller: string): boolean {
  return hierarchy.controllers === controller || hierarchy.controllers.split(",").includes(controller);
}

function directoryPath(hierarchy: Hierarchy, kind: CgroupLayout["kind"], cgroupsPath: string, id: string): string {
  if (cgroupsPath.startsWith("/")) return `${hierarchy.mount}${cleanPath(cgroupsPath)}`;
  const own = kind === "unified" ? hierarchy.own.slice(0, hierarchy.own.lastIndexOf("/")) : hierarchy.own;
  return `${hierarchy.mount}${cleanPath(`${own}/${cleanPath(cgroupsPath === "" ? id : cgroupsPath)}`)}`;
}
