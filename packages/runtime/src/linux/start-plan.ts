// The whole decision of a start: from config.json and what was found on the host to what will be done. Pure; start.ts acts on it.
// portable: no host types here.

import { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from "@teu/sys/constants/mount";
import type { Hooks, Linux, Process, Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { table } from "../table.ts";
import type { CgroupLayout } from "./cgroup/layout.ts";
import { type CgroupPlan, planCgroup, planSystemdCgroup } from "./cgroup/plan.ts";
import type { ManagerFacts } from "./cgroup/systemd/unit.ts";
import { type DeviceStep, ownsDev, planDevices } from "./devices-plan.ts";
import { type Extensions, planExtensions } from "./extensions.ts";
import { isMapped } from "./id-maps.ts";
import { type MountStep, planMounts } from "./mount-plan.ts";
import { type NamespacePlan, planNamespaces } from "./namespaces.ts";
import { type NetDeviceStep, planNetDevices } from "./net-devices.ts";
import { type ProcessPlan, planProcess } from "./process-plan.ts";
import { type ResctrlPlan, planResctrl } from "./resctrl-plan.ts";
import { cleanPath } from "./rootfs-path.ts";
import { type SysctlStep, planSysctl } from "./sysctl.ts";

/** What is so on this host, found before planning. */
export interface HostFacts {
  readonly cgroups: CgroupLayout;
  /** systemd, when it makes the cgroup. */
  readonly systemd?: ManagerFacts | null;
}

/** Propagation of the container's tree. */
export interface PropagationPlan {
  /** For everything, before the root is made: MS_SLAVE, MS_PRIVATE, MS_SHARED. */
  readonly before: number;
  /** For the root at the end; 0: as it is. */
  readonly after: number;
  readonly afterRecursive: boolean;
}

/** The decided start of one container. */
export interface StartPlan {
  readonly id: string;
  readonly bundle: string;
  /** Absolute host path. */
  readonly rootfs: string;
  readonly readonlyRoot: boolean;
  readonly propagation: PropagationPlan;
  readonly namespaces: NamespacePlan;
  readonly netDevices: readonly NetDeviceStep[];
  readonly mounts: readonly MountStep[];
  /** null: /dev comes from elsewhere as it is. */
  readonly devices: readonly DeviceStep[] | null;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly sysctl: readonly SysctlStep[];
  readonly hostname: string;
  readonly domainname: string;
  readonly process: ProcessPlan;
  readonly hooks: Hooks;
  readonly cgroup: CgroupPlan;
  readonly resctrl: ResctrlPlan | null;
  readonly extensions: Extensions;
  /** The validated document's part, for maps, offsets and the filter. */
  readonly linux: Linux;
}

const PROPAGATIONS = table<number>({
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
});

/** Decides. Throws TeuError `invalid` or `unsupported` with the JSON path. */
export function planStart(spec: Spec, id: string, bundle: string, facts: HostFacts): StartPlan {
  const linux = spec.linux ?? {};
  if (!spec.ociVersion.startsWith("1."))
    throw invalidConfig("ociVersion", `want 1.x, have ${JSON.stringify(spec.ociVersion)}`);
  const path = spec.root?.path ?? "";
  if (path === "") throw invalidConfig("root.path", "missing");
  const namespaces = planNamespaces(spec);
  const extensions = planExtensions(spec.annotations);
  const process: Process = spec.process ?? { cwd: "/" };
  if (namespaces.newUser) checkMapped(linux, process);
  return {
    id,
    bundle,
    namespaces,
    netDevices: planNetDevices(spec, namespaces),
    linux,
    rootfs: path.startsWith("/") ? cleanPath(path) : cleanPath(`${bundle}/${path}`),
    readonlyRoot: spec.root?.readonly ?? false,
    propagation: planPropagation(linux.rootfsPropagation ?? ""),
    mounts: planMounts(spec, bundle),
    devices: ownsDev(spec) ? planDevices(spec) : null,
    maskedPaths: linux.maskedPaths ?? [],
    readonlyPaths: linux.readonlyPaths ?? [],
    sysctl: planSysctl(spec, namespaces),
    hostname: spec.hostname ?? "",
    domainname: spec.domainname ?? "",
    extensions,
    process: planProcess(process, linux, "process", extensions.keepGroups),
    hooks: spec.hooks ?? {},
    resctrl: planResctrl(linux.intelRdt, id),
    cgroup:
      facts.systemd === undefined || facts.systemd === null
        ? planCgroup(facts.cgroups, linux.cgroupsPath ?? "", id, linux.resources ?? {})
        : planSystemdCgroup(facts.cgroups, facts.systemd, spec, id),
  };
}

/** runc's texts. The kernel would say no more than EINVAL. */
function checkMapped({ uidMappings, gidMappings }: Linux, { user }: Process): void {
  const refuse = (field: string, text: string): never => {
    throw invalidConfig(`process.user.${field}`, text);
  };
  if (!isMapped(uidMappings, user?.uid ?? 0)) refuse("uid", "cannot set uid to unmapped user in user namespace");
  if (!isMapped(gidMappings, user?.gid ?? 0)) refuse("gid", "cannot set gid to unmapped user in user namespace");
  const group = (user?.additionalGids ?? []).find((gid) => !isMapped(gidMappings, gid));
  if (group !== undefined) refuse("additionalGids", `cannot set group ${group}, which is not mapped in user namespace`);
}

function planPropagation(text: string): PropagationPlan {
  if (text === "") return { before: MS_SLAVE, after: 0, afterRecursive: false };
  const recursive = PROPAGATIONS[text] === undefined && text.startsWith("r");
  const flag = PROPAGATIONS[recursive ? text.slice(1) : text];
  if (flag === undefined) throw invalidConfig("linux.rootfsPropagation", `rootfsPropagation=${text} is not supported`);
  // An unbindable tree could not be bound as root: it becomes so only at the end.
  return { before: flag === MS_UNBINDABLE ? MS_PRIVATE : flag, after: flag, afterRecursive: recursive };
}
