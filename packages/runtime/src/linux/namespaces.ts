// Which namespaces are made and which are joined (runtime-spec, "Namespaces"), as clone3 flags and paths. Pure.
// portable: no host types here.

import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "@teu/sys/constants/process";
import type { NamespaceType, Spec } from "@teu/specs/runtime";
import { invalidConfig, unsupportedConfig } from "../failure.ts";

/** CLONE_NEW* of each kind. */
export const NAMESPACE_FLAGS: Readonly<Record<NamespaceType, number>> = {
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  mount: CLONE_NEWNS,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
};

/** Name of each kind in /proc/PID/ns. */
export const NAMESPACE_FILES: Readonly<Record<NamespaceType, string>> = {
  user: "user",
  pid: "pid",
  network: "net",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
  time: "time",
};

/** A namespace to enter by its file. */
export interface Join {
  readonly type: NamespaceType;
  readonly path: string;
}

/** The decision. */
export interface NamespacePlan {
  /** For the one clone3: all new ones but cgroup and time, and `ipcInside`; with `hostMount` one for mounts as well. */
  readonly cloneFlags: number;
  /**
   * Entered by the parent before the clone, and left again: pid and time, because only children are concerned; with a user
   * namespace all but mount, because its root has no rights over those of the host.
   */
  readonly joinsBefore: readonly Join[];
  /** Entered by a process that clones the child from there, so that the new namespaces belong to it. */
  readonly joinUser: Join | null;
  /** Entered by the child. */
  readonly joinsInside: readonly Join[];
  /** Unshared by the child once it is in its cgroup, which becomes the namespace's root. */
  readonly newCgroup: boolean;
  readonly newUser: boolean;
  /** Unshared by the child when it is root of its user namespace, whose /dev/mqueue would be nobody's else. */
  readonly ipcInside: boolean;
  /** Unshared by the parent for its child, since offsets must be written before anybody is inside. */
  readonly newTime: boolean;
  readonly newNetwork: boolean;
  readonly newPid: boolean;
  /**
   * Without one for mounts the root is made in one that the child leaves again, taking a detached copy of it along: the container is
   * in the host's, and nothing is mounted there.
   */
  readonly hostMount: boolean;
  /** New or joined. */
  readonly has: ReadonlySet<NamespaceType>;
}

/** Reads `linux.namespaces`. Throws TeuError `invalid` for doubles and contradictions. */
export function planNamespaces(spec: Spec): NamespacePlan {
  const paths = new Map<NamespaceType, string>();
  for (const [index, { type, path }] of (spec.linux?.namespaces ?? []).entries()) {
    if (paths.has(type))
      throw invalidConfig(`linux.namespaces[${index}]`, `namespace ${JSON.stringify(type)} is given twice`);
    if (path !== undefined && path !== "" && !path.startsWith("/"))
      throw invalidConfig(`linux.namespaces[${index}].path`, "must be absolute");
    paths.set(type, path ?? "");
  }
  const isNew = (type: NamespaceType): boolean => paths.get(type) === "";
  const joins = [...paths].filter(([, path]) => path !== "").map(([type, path]) => ({ type, path }));
  checkNamespaces(spec, paths, isNew);
  const before = ({ type }: Join): boolean =>
    type === "pid" || type === "time" || (paths.has("user") && type !== "mount" && type !== "user");
  const ipcInside = isNew("ipc") && paths.has("user");
  const later = (type: NamespaceType): boolean => type === "cgroup" || type === "time" || (type === "ipc" && ipcInside);
  let cloneFlags = 0;
  for (const type of paths.keys()) if (isNew(type) && !later(type)) cloneFlags |= NAMESPACE_FLAGS[type];
  const hostMount = !paths.has("mount");
  if (hostMount) cloneFlags |= CLONE_NEWNS;
  return {
    cloneFlags,
    joinsBefore: joins.filter(before),
    // Mount last: after it the host's paths are out of sight.
    joinsInside: joins
      .filter((join) => !before(join) && join.type !== "user")
      .sort((a, b) => Number(a.type === "mount") - Number(b.type === "mount")),
    joinUser: joins.find(({ type }) => type === "user") ?? null,
    newCgroup: isNew("cgroup"),
    newUser: isNew("user"),
    ipcInside,
    newTime: isNew("time"),
    newNetwork: isNew("network"),
    newPid: isNew("pid"),
    hostMount,
    has: new Set(paths.keys()),
  };
}

function checkNamespaces(
  spec: Spec,
  paths: ReadonlyMap<NamespaceType, string>,
  isNew: (type: NamespaceType) => boolean,
): void {
  const linux = spec.linux ?? {};
  if (!paths.has("mount") && paths.has("user"))
    throw unsupportedConfig(
      "linux.namespaces",
      "with a user namespace there must be one for mounts: root of the first may not be in the host's",
    );
  if ((spec.hostname ?? "") !== "" && !paths.has("uts"))
    throw invalidConfig("hostname", "unable to set hostname without a private UTS namespace");
  if ((spec.domainname ?? "") !== "" && !paths.has("uts"))
    throw invalidConfig("domainname", "unable to set domainname without a private UTS namespace");
  const mappings = (linux.uidMappings ?? []).length > 0 || (linux.gidMappings ?? []).length > 0;
  if (mappings && !paths.has("user"))
    throw invalidConfig("linux.uidMappings", "mappings are given, but no user namespace");
  if (isNew("user") && ((linux.uidMappings ?? []).length === 0 || (linux.gidMappings ?? []).length === 0)) {
    throw invalidConfig("linux.uidMappings", "a new user namespace needs uidMappings and gidMappings");
  }
  const offsets = Object.keys(linux.timeOffsets ?? {});
  if (offsets.length > 0 && !isNew("time"))
    throw invalidConfig("linux.timeOffsets", "offsets can only be set in a new time namespace");
}
