// Which of runtime-tools' programs teu-runtime passes on a host with cgroup v1, and why not the others.

/** What is recorded of one program. */
interface Expectation {
  /** "network": when net_cls and net_prio are mounted. "racy": either way, by the program's own races. */
  readonly passes: boolean | "network" | "racy";
  readonly why?: string;
}

/** By the program's name. */
export const EXPECTED: Readonly<Record<string, Expectation>> = {
  config_updates_without_affect: { passes: true },
  create: { passes: true },
  default: { passes: true },
  delete: { passes: false, why: "wants `delete` of a created container to fail; containerd needs it to succeed" },
  delete_only_create_resources: { passes: true },
  delete_resources: { passes: false, why: "compares addresses of two numbers, which always differ" },
  hooks: { passes: false, why: "wants prestart hooks to run at `start`, as before runtime-spec 1.1" },
  hooks_stdin: { passes: true },
  hostname: { passes: true },
  kill: { passes: true },
  kill_no_effect: { passes: true },
  killsig: { passes: "racy", why: "the signal may arrive before the shell has set its trap" },
  linux_cgroups_blkio: { passes: false, why: "blkio.leaf_weight is gone from the kernel since 5.x" },
  linux_cgroups_cpus: { passes: true },
  linux_cgroups_devices: { passes: true },
  linux_cgroups_hugetlb: { passes: true },
  linux_cgroups_memory: { passes: false, why: "limits of kernel memory are gone from the kernel since 5.16" },
  linux_cgroups_network: { passes: "network", why: "net_cls and net_prio are not mounted: --network mounts them" },
  linux_cgroups_pids: { passes: false, why: "compares addresses of two numbers, which always differ" },
  linux_cgroups_relative_blkio: { passes: false, why: "blkio.leaf_weight is gone from the kernel since 5.x" },
  linux_cgroups_relative_cpus: { passes: true },
  linux_cgroups_relative_devices: { passes: true },
  linux_cgroups_relative_hugetlb: { passes: true },
  linux_cgroups_relative_memory: { passes: false, why: "limits of kernel memory are gone from the kernel since 5.16" },
  linux_cgroups_relative_network: {
    passes: "network",
    why: "net_cls and net_prio are not mounted: --network mounts them",
  },
  linux_cgroups_relative_pids: { passes: false, why: "compares addresses of two numbers, which always differ" },
  linux_devices: { passes: true },
  linux_masked_paths: { passes: true },
  linux_mount_label: { passes: false, why: "needs SELinux; without it the label is refused, not ignored" },
  linux_ns_itype: { passes: true },
  linux_ns_nopath: { passes: true },
  linux_ns_path: { passes: true },
  linux_ns_path_type: { passes: true },
  linux_process_apparmor_profile: {
    passes: false,
    why: "needs AppArmor; without it the profile is refused, not ignored",
  },
  linux_readonly_paths: { passes: true },
  linux_rootfs_propagation: { passes: true },
  linux_seccomp: { passes: true },
  linux_sysctl: { passes: true },
  linux_uid_mappings: { passes: true },
  misc_props: { passes: false, why: "does not put runtimetest into the root that it is to run in" },
  mounts: { passes: true },
  pidfile: {
    passes: "racy",
    why: "kills `true` after `start` has returned: it has mostly ended by then, and to kill a stopped container is an error",
  },
  poststart: {
    passes: "racy",
    why: "hook and program append to one file at once; the program only has to be started before the hook, not done with it",
  },
  poststart_fail: {
    passes: false,
    why: "wants a failed poststart hook to be a warning; since runtime-spec 1.3 it is an error of `start`",
  },
  poststop: { passes: true },
  poststop_fail: { passes: true },
  prestart: { passes: false, why: "wants prestart hooks to run at `start`, as before runtime-spec 1.1" },
  prestart_fail: { passes: true },
  process: { passes: true },
  process_capabilities: { passes: false, why: "sets capabilities that root here lacks (CAP_SYS_RESOURCE)" },
  process_capabilities_fail: { passes: true },
  process_oom_score_adj: { passes: true },
  process_rlimits: { passes: false, why: "runtimetest is built by a Go that raises RLIMIT_NOFILE before it looks" },
  process_rlimits_fail: { passes: true },
  process_user: { passes: true },
  root_readonly_true: { passes: true },
  start: {
    passes: false,
    why: "its last line wants `start` without `process` to succeed, though it says that it must fail",
  },
  state: { passes: true },
};
