// The config.json that `spec` writes: a shell on a terminal, in namespaces of its own, with the usual file systems.
// Member for member what `runc spec` writes (a test compares), but for the version and the host name.
// portable: no host types here.

import { type Linux, type Mount, type NamespaceType, RUNTIME_SPEC_VERSION, type Spec } from "./runtime.ts";

/** What the default depends on. */
export interface DefaultSpecOptions {
  /** For a caller who is not root: a user namespace that maps root to these ids, and nothing that needs rights on the host. */
  readonly rootless?: { readonly uid: number; readonly gid: number };
  /** True on a host with only cgroup v2: there a cgroup namespace is the rule. */
  readonly cgroup2?: boolean;
  readonly hostname?: string;
}

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/** A new spec; every call makes a fresh value. */
export function defaultSpec(options: DefaultSpecOptions = {}): Spec {
  return {
    ociVersion: RUNTIME_SPEC_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
        ambient: [...CAPABILITIES],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: options.hostname ?? "teu",
    mounts: mounts(options.rootless !== undefined),
    linux: linux(options),
  };
}

function mounts(rootless: boolean): Mount[] {
  const quiet = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      // Group 5 (tty) is not mapped in a user namespace of one id.
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", ...(rootless ? [] : ["gid=5"])],
    },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...quiet, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: quiet },
    // A new sysfs needs a network namespace that the user namespace owns; rootless keeps the host's network.
    rootless
      ? { destination: "/sys", type: "none", source: "/sys", options: ["rbind", ...quiet, "ro"] }
      : { destination: "/sys", type: "sysfs", source: "sysfs", options: [...quiet, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...quiet, "relatime", "ro"] },
  ];
}

function linux(options: DefaultSpecOptions): Linux {
  const { rootless, cgroup2 = false } = options;
  const types: NamespaceType[] =
    rootless === undefined
      ? ["pid", "network", "ipc", "uts", "mount", ...(cgroup2 ? ["cgroup" as const] : [])]
      : ["pid", "ipc", "uts", "mount", ...(cgroup2 ? ["cgroup" as const] : []), "user"];
  const ids =
    rootless === undefined
      ? { resources: { devices: [{ allow: false, access: "rwm" }] } }
      : {
          uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
          gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
        };
  return {
    ...ids,
    namespaces: types.map((type) => ({ type })),
    maskedPaths: [
      "/proc/acpi",
      "/proc/asound",
      "/proc/kcore",
      "/proc/keys",
      "/proc/latency_stats",
      "/proc/timer_list",
      "/proc/timer_stats",
      "/proc/sched_debug",
      "/sys/firmware",
      "/proc/scsi",
    ],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
  };
}
