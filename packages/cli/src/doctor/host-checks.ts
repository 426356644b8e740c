// The checks of `teu doctor`: what this host has, what it lacks, and what follows. Pure.

import { formatSize } from "@teu/base/bytes";
import { capabilitiesOfMask } from "@teu/engine/containers/spec/capabilities";
import type { Finding, HostFacts } from "./check.ts";

/** All findings, in the order in which they are shown. */
export function checkHost(facts: HostFacts): Finding[] {
  return [
    user(facts),
    kernel(facts),
    namespaces(facts),
    userNamespaces(facts),
    cgroups(facts),
    overlay(facts),
    seccomp(facts),
    lsm(facts),
    capabilities(facts),
    network(facts),
    runtime(facts),
    shim(facts),
    criu(facts),
    disk(facts),
  ];
}

function user({ uid }: HostFacts): Finding {
  return uid === 0
    ? ok("user", "root")
    : fail("user", `uid ${uid}`, "run teu as root: without it no mounts, namespaces and networks can be made");
}

function kernel({ release, arch }: HostFacts): Finding {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const found = `Linux ${release} ${arch}`;
  // openat2 came with 5.6, mount_setattr with 5.12, overlayfs on the new mount API with 6.5.
  if (major < 5 || (major === 5 && minor < 6))
    return fail("kernel", found, "older than 5.6: paths inside images cannot be resolved safely");
  return major === 5 && minor < 12
    ? warn("kernel", found, "older than 5.12: recursive mount attributes and id-mapped mounts are missing")
    : ok("kernel", found);
}

function namespaces(facts: HostFacts): Finding {
  const wanted = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
  const missing = wanted.filter((name) => !facts.namespaces.includes(name));
  const found = [...wanted, "user", "time"].filter((name) => facts.namespaces.includes(name)).join(" ");
  return missing.length === 0 ? ok("namespaces", found) : fail("namespaces", found, `missing: ${missing.join(" ")}`);
}

function userNamespaces({ maxUserNamespaces }: HostFacts): Finding {
  const most = Number(maxUserNamespaces.trim());
  return most > 0
    ? ok("user namespaces", `up to ${most}`)
    : warn("user namespaces", "switched off", "containers with their own users cannot be made");
}

/** cgroup hierarchies: "v2", "v1" or "hybrid", with the controllers of each. */
export function cgroupLayout({ mountinfo, unifiedControllers }: Pick<HostFacts, "mountinfo" | "unifiedControllers">): {
  readonly layout: "v1" | "v2" | "hybrid" | "none";
  readonly controllers: readonly string[];
} {
  const v1 = new Set<string>();
  let v2 = false;
  for (const line of mountinfo.split("\n")) {
    const [, after = ""] = line.split(" - ");
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") v2 = true;
    if (type !== "cgroup") continue;
    for (const option of options.split(",")) if (CONTROLLERS.includes(option)) v1.add(option);
  }
  const unified = unifiedControllers
    .trim()
    .split(/\s+/)
    .filter((name) => name !== "");
  if (v1.size === 0) return { layout: v2 ? "v2" : "none", controllers: unified };
  return { layout: v2 ? "hybrid" : "v1", controllers: [...new Set([...v1, ...unified])].sort() };
}

const CONTROLLERS = [
  "blkio",
  "cpu",
  "cpuacct",
  "cpuset",
  "devices",
  "freezer",
  "hugetlb",
  "memory",
  "misc",
  "net_cls",
  "net_prio",
  "perf_event",
  "pids",
  "rdma",
];

function cgroups(facts: HostFacts): Finding {
  const { layout, controllers } = cgroupLayout(facts);
  if (layout === "none")
    return fail(
      "cgroups",
      "not mounted",
      "containers cannot be limited nor found again: mount cgroup2 on /sys/fs/cgroup",
    );
  const missing = ["memory", "cpu", "pids"].filter((name) => !controllers.includes(name));
  const found = `${layout === "hybrid" ? "v1 (hybrid with v2)" : layout}: ${controllers.join(" ")}`;
  return missing.length === 0 ? ok("cgroups", found) : warn("cgroups", found, `no limits of: ${missing.join(", ")}`);
}

function overlay(facts: HostFacts): Finding {
  const there = /\boverlay$/m.test(facts.filesystems) || hasModule(facts, "overlay");
  return there ? ok("overlay", "overlayfs") : fail("overlay", "no overlayfs", "load it: modprobe overlay");
}

function seccomp({ status, seccompActions }: HostFacts): Finding {
  if (!/^Seccomp:/m.test(status))
    return warn("seccomp", "not in this kernel", "system calls of containers are not filtered");
  const actions = seccompActions.trim();
  return actions === "" || actions.includes("user_notif")
    ? ok("seccomp", actions === "" ? "filters" : actions)
    : warn("seccomp", actions, "filters that ask a supervisor (SCMP_ACT_NOTIFY) do not work");
}

function lsm(facts: HostFacts): Finding {
  const active = facts.lsm
    .trim()
    .split(",")
    .filter((name) => name === "apparmor" || name === "selinux");
  return active.length > 0
    ? ok("security modules", active.join(" "))
    : warn(
        "security modules",
        "neither AppArmor nor SELinux",
        "their profiles are not applied; capabilities, seccomp and masked paths are",
      );
}

const NEEDED_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_MKNOD",
  "CAP_NET_ADMIN",
  "CAP_SETFCAP",
  "CAP_SYS_ADMIN",
  "CAP_SYS_CHROOT",
  "CAP_SYS_RESOURCE",
];

function capabilities({ status }: HostFacts): Finding {
  const effective = capabilitiesOfMask(/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0");
  const missing = NEEDED_CAPABILITIES.filter((name) => !effective.includes(name));
  if (missing.length === 0) return ok("capabilities", "all that are needed");
  if (missing.some((name) => name !== "CAP_SYS_RESOURCE" && name !== "CAP_NET_ADMIN"))
    return fail("capabilities", `without ${missing.join(", ")}`, "containers cannot be made");
  const consequences = [
    ...(missing.includes("CAP_SYS_RESOURCE")
      ? ["resource limits cannot be raised above the present hard ones, nor oom scores lowered"]
      : []),
    ...(missing.includes("CAP_NET_ADMIN") ? ["no bridge network"] : []),
  ];
  return warn("capabilities", `without ${missing.join(", ")}`, consequences.join("; "));
}

function network(facts: HostFacts): Finding {
  const missing = ["bridge", "veth", "nf_tables"].filter((name) => !hasModule(facts, name));
  if (missing.length === 0) return ok("network", "bridge veth nf_tables");
  return warn(
    "network",
    `not seen: ${missing.join(" ")}`,
    "the bridge network may not work: use --network none or host then",
  );
}

const CONFIG_NAMES: Readonly<Record<string, string>> = {
  bridge: "BRIDGE",
  veth: "VETH",
  nf_tables: "NF_TABLES",
  overlay: "OVERLAY_FS",
};

/** Loaded, part of the kernel, or a module that it loads on demand. */
function hasModule({ modules, kernelConfig }: HostFacts, name: string): boolean {
  return modules.includes(name) || new RegExp(`^CONFIG_${CONFIG_NAMES[name] ?? ""}=[ym]$`, "m").test(kernelConfig);
}

function runtime({ programs }: HostFacts): Finding {
  const found = ["teu-runtime", "runc", "crun"].filter((name) => programs[name] !== undefined);
  if (found.length === 0) return fail("runtime", "none found", "build teu-runtime, or install runc or crun");
  const text = found.map((name) => `${name} (${programs[name] ?? ""})`).join(", ");
  return found[0] === "teu-runtime"
    ? ok("runtime", text)
    : warn("runtime", text, "teu-runtime is not there: use --runtime with one of these");
}

function shim({ shim: path }: HostFacts): Finding {
  return path === null ? fail("shim", "teu-shim not found", "build it, or set TEU_SHIM") : ok("shim", path);
}

function criu({ programs }: HostFacts): Finding {
  return programs["criu"] === undefined
    ? warn("checkpoints", "no criu", "containers cannot be frozen to disk")
    : ok("checkpoints", `criu (${programs["criu"]})`);
}

function disk({ disk: space, root }: HostFacts): Finding {
  if (space === null) return warn("disk", root, "its free space cannot be read");
  const found = `${formatSize(space.free)} of ${formatSize(space.total)} free at ${root}`;
  return space.free > 1e9 ? ok("disk", found) : warn("disk", found, "less than 1 GB: pulls and builds may fail");
}

function ok(name: string, found: string): Finding {
  return { name, status: "ok", found };
}

function warn(name: string, found: string, consequence: string): Finding {
  return { name, status: "warn", found, consequence };
}

function fail(name: string, found: string, consequence: string): Finding {
  return { name, status: "fail", found, consequence };
}
