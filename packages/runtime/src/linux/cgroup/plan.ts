// Which cgroup directories a container gets and what is written into them: from config.json and the host's layout, no kernel calls.
// portable: no host types here.

import type { LinuxResources, Spec } from "@teu/specs/runtime";
import { invalidConfig, unsupportedConfig } from "../../failure.ts";
import { cleanPath } from "../rootfs-path.ts";
import { type AccessRule, deviceRuleLine, deviceRules } from "./device-rules.ts";
import type { CgroupLayout, Hierarchy } from "./layout.ts";
import { type CgroupWrite, planLegacyResources } from "./resources-legacy.ts";
import { planUnifiedResources } from "./resources-unified.ts";
import { type ManagerFacts, type UnitPlan, planUnit } from "./systemd/unit.ts";

/** One directory of one hierarchy. */
export interface CgroupDirectory {
  /** As in `Hierarchy`. */
  readonly controllers: string;
  readonly mount: string;
  /** Absolute path of the container's directory. */
  readonly path: string;
  /** Absolute path of the directory that this process is in. */
  readonly here: string;
  readonly writes: readonly CgroupWrite[];
}

/** What to make. On "unified", `deviceRules` become a program. */
export interface CgroupPlan {
  readonly kind: CgroupLayout["kind"];
  readonly directories: readonly CgroupDirectory[];
  /** config.json names the cgroup: it cannot be done without. */
  readonly named: boolean;
  readonly deviceRules: readonly AccessRule[];
  /** What systemd is to be told; without, it knows nothing of the container. */
  readonly unit?: UnitPlan;
}

/** The same where systemd makes the cgroup: `linux.cgroupsPath` is "slice:prefix:name". */
export function planSystemdCgroup(layout: CgroupLayout, manager: ManagerFacts, spec: Spec, id: string): CgroupPlan {
  const { cgroupsPath = "", resources = {} } = spec.linux ?? {};
  const unit = planUnit(cgroupsPath, id, manager, layout.kind === "unified", resources, spec.annotations);
  return { ...planCgroup(layout, `${manager.base}${unit.path}`, id, resources), unit };
}

/**
 * Plans the cgroup of container `id`. An absolute `cgroupsPath` counts from each mount's root, a relative one (default: the id)
 * from where this process is, or on v2 from the parent of that, which alone may pass controllers on. Throws TeuError
 * `unsupported` for a limit whose controller is not there.
 */
export function planCgroup(
  layout: CgroupLayout,
  cgroupsPath: string,
  id: string,
  resources: LinuxResources,
): CgroupPlan {
  const rules = deviceRules(resources.devices ?? []);
  if (layout.kind === "none") {
    const [write] = planLegacyResources(resources);
    if (write !== undefined)
      throw unsupportedConfig("linux.resources", `${write.file} cannot be set: the container has no cgroup`);
    return { kind: "none", directories: [], named: false, deviceRules: [] };
  }
  const unified = layout.kind === "unified";
  if (!unified && Object.keys(resources.unified ?? {}).length > 0)
    throw unsupportedConfig("linux.resources.unified", "this host's cgroups are not cgroup v2");
  const writes = unified ? planUnifiedResources(resources) : planLegacyResources(resources);
  const byController = new Map<string, CgroupWrite[]>();
  for (const write of writes) {
    const others = byController.get(write.controller);
    if (others === undefined) byController.set(write.controller, [write]);
    else others.push(write);
  }
  if (!unified) {
    const lines = rules.map(deviceRuleLine);
    byController.set("devices", lines);
  }
  const relative = cleanPath(cgroupsPath === "" ? id : cgroupsPath);
  // Its limits would be everybody's, and the end of the container the end of all.
  if (relative === "/")
    throw invalidConfig("linux.cgroupsPath", `${JSON.stringify(cgroupsPath)} names no cgroup of its own`);
  const directories = layout.hierarchies.map((hierarchy) => {
    const { controllers, mount } = hierarchy;
    const names = controllers.includes(",") ? controllers.split(",") : [controllers];
    const own = names.flatMap((name) => byController.get(name) ?? []);
    for (const name of names) byController.delete(name);
    return {
      controllers,
      mount,
      writes: own,
      path: `${mount}${parentPath(hierarchy, unified, cgroupsPath)}${relative}`,
      here: hierarchy.own === "/" ? mount : `${mount}${hierarchy.own}`,
    };
  });
  for (const [controller, [write]] of byController) {
    if (controller === "devices") continue;
    throw unsupportedConfig(
      "linux.resources",
      `${write?.file} cannot be set: no cgroup hierarchy with the ${controller} controller is mounted`,
    );
  }
  return { kind: layout.kind, directories, named: cgroupsPath !== "", deviceRules: unified ? rules : [] };
}

/** Below what the container's cgroup goes: "" for the mount's root. */
function parentPath({ own }: Hierarchy, unified: boolean, cgroupsPath: string): string {
  if (cgroupsPath.startsWith("/") || own === "/") return "";
  return unified ? own.slice(0, own.lastIndexOf("/")) : own;
}
