// What a check of this host says, and the files it reads. Checks are pure functions over HostFacts; gathering is gather-facts.ts.

/** One finding. */
export interface Finding {
  readonly name: string;
  /** "fail": containers cannot run; "warn": something will be missing. */
  readonly status: "ok" | "warn" | "fail";
  /** What is so. */
  readonly found: string;
  /** What follows, unless all is well. */
  readonly consequence?: string;
}

/** Raw facts; "" for files that are not there. */
export interface HostFacts {
  readonly uid: number;
  readonly release: string;
  readonly arch: string;
  /** Names in /proc/self/ns. */
  readonly namespaces: readonly string[];
  /** /proc/self/status */
  readonly status: string;
  /** /proc/self/mountinfo */
  readonly mountinfo: string;
  /** /proc/filesystems */
  readonly filesystems: string;
  /** /proc/cgroups */
  readonly cgroups: string;
  /** cgroup.controllers of a unified hierarchy's root. */
  readonly unifiedControllers: string;
  readonly maxUserNamespaces: string;
  readonly seccompActions: string;
  readonly lsm: string;
  /** Names in /sys/module. */
  readonly modules: readonly string[];
  /** The kernel's configuration, where it can be read. */
  readonly kernelConfig: string;
  /** Programs found: name to path. */
  readonly programs: Readonly<Record<string, string>>;
  readonly shim: string | null;
  /** Free and all bytes where the root is or would be. */
  readonly disk: { readonly free: number; readonly total: number } | null;
  readonly root: string;
}
