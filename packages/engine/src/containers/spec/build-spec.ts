// A container's settings become its config.json: pure, from values only. Annotations are left out on purpose: nothing from an
// image or a label may reach a runtime's host-side switches.

import { CGROUP_PARENT } from "@teu/shim/protocol";
import type { Linux, Namespace, Process, Spec } from "@teu/specs/runtime";

import type { ContainerSettings } from "../container-settings.ts";
import { capabilityNames, capabilitySets } from "./capabilities.ts";
import { deviceNodes, deviceRules, type HostDevice } from "./devices.ts";
import type { HostFacts } from "./host-facts.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./masked-paths.ts";
import { containerMounts, type MountPaths } from "./mounts.ts";
import { linuxResources } from "./resources.ts";
import { rlimits } from "./rlimits.ts";
import { seccompFilter } from "./seccomp.ts";

/** Whom the process runs as, looked up in the container's own files. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/** Everything that a spec is made from. */
export interface SpecInput {
  readonly id: string;
  readonly settings: ContainerSettings;
  readonly identity: Identity;
  readonly facts: HostFacts;
  readonly paths: MountPaths;
  readonly devices: readonly HostDevice[];
}

/** 1.0.2 is what everything used here needs, and what Debian 12's runc and crun take. */
const OCI_VERSION = "1.0.2";

/** The config.json of a container. @throws TeuError `unsupported` for wishes that this host cannot fulfil. */
export function buildSpec(input: SpecInput): Spec {
  const { settings } = input;
  return {
    ociVersion: OCI_VERSION,
    process: containerProcess(input),
    root: { path: "rootfs", ...(settings.readOnly ? { readonly: true } : {}) },
    ...(settings.uts === "host" ? {} : { hostname: settings.hostname }),
    ...(settings.uts === "host" || settings.domainname === "" ? {} : { domainname: settings.domainname }),
    mounts: containerMounts(settings, input.paths),
    linux: linuxPart(input),
  };
}

/** The process of a container; `exec` changes what it needs of it. */
export function containerProcess({ settings, identity, facts }: SpecInput): Process {
  const names = capabilityNames(settings, facts.capabilities);
  return {
    terminal: settings.tty,
    user: {
      uid: identity.uid,
      gid: identity.gid,
      ...(identity.additionalGids.length === 0 ? {} : { additionalGids: identity.additionalGids }),
    },
    args: [...settings.entrypoint, ...settings.command],
    env: processEnv(settings, identity),
    cwd: settings.workdir,
    capabilities: capabilitySets(names, identity.uid),
    rlimits: rlimits(settings.ulimits, facts),
    noNewPrivileges: settings.noNewPrivileges,
    ...(settings.oomScoreAdj === 0 ? {} : { oomScoreAdj: settings.oomScoreAdj }),
  };
}

/** The environment: ours first, so that the image's and the user's win. */
function processEnv(settings: ContainerSettings, identity: Identity): string[] {
  const own = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `HOSTNAME=${settings.hostname}`,
    ...(settings.tty ? ["TERM=xterm"] : []),
    `HOME=${identity.home}`,
  ];
  const byName = new Map<string, string>();
  for (const entry of [...own, ...settings.env]) byName.set(entry.slice(0, entry.indexOf("=")), entry);
  return [...byName.values()];
}

function linuxPart({ id, settings, facts, devices }: SpecInput): Linux {
  const names = capabilityNames(settings, facts.capabilities);
  const open = settings.privileged || settings.systemPathsUnconfined;
  const seccomp = facts.seccomp ? seccompFilter(settings, names, facts) : null;
  return {
    namespaces: namespaces(settings),
    cgroupsPath: `${CGROUP_PARENT}/${id}`,
    devices: deviceNodes(devices),
    resources: linuxResources(settings.resources, deviceRules(settings.privileged, devices), facts),
    ...(seccomp === null ? {} : { seccomp }),
    ...(Object.keys(settings.sysctls).length === 0 ? {} : { sysctl: settings.sysctls }),
    maskedPaths: open ? [] : MASKED_PATHS,
    readonlyPaths: open ? [] : READONLY_PATHS,
  };
}

function namespaces(settings: ContainerSettings): Namespace[] {
  return [
    { type: "mount" },
    ...(settings.network === "host" ? [] : [{ type: "network" } as const]),
    ...(settings.uts === "host" ? [] : [{ type: "uts" } as const]),
    ...(settings.pid === "host" ? [] : [{ type: "pid" } as const]),
    ...(settings.ipc === "host" ? [] : [{ type: "ipc" } as const]),
    ...(settings.cgroupns === "host" ? [] : [{ type: "cgroup" } as const]),
  ];
}
