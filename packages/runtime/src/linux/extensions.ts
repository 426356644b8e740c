// crun's annotations (run.oci.*), which engines set for what config.json has no member for. Pure. Those that this runtime does not
// have are refused: whoever sets one counts on it.
// portable: no host types here.

import { unsupportedConfig } from "../failure.ts";

/** What the annotations ask for; "" and false: nothing. */
export interface Extensions {
  /** The process keeps the groups of whoever called the runtime, additionalGids are ignored (podman's --group-add keep-groups). */
  readonly keepGroups: boolean;
  /** Unix socket that receives a pidfd of init. */
  readonly pidfdReceiver: string;
  /** Unix socket of the seccomp agent, instead of linux.seccomp.listenerPath. */
  readonly seccompReceiver: string;
  /** Names that libseccomp does not know are an error. */
  readonly seccompStrict: boolean;
  /** A filter in base64, instead of linux.seccomp. */
  readonly seccompProgram: string;
  /** Files to which hooks' output is appended. */
  readonly hooksOut: string;
  readonly hooksErr: string;
}

const NONE: Extensions = {
  keepGroups: false,
  pidfdReceiver: "",
  seccompReceiver: "",
  seccompStrict: false,
  seccompProgram: "",
  hooksOut: "",
  hooksErr: "",
};

const PREFIX = "run.oci.";
/** Names after the prefix that are acted on, for `features`. */
export const EXTENSION_NAMES: readonly string[] = [
  "hooks.stderr",
  "hooks.stdout",
  "keep_original_groups",
  "pidfd_receiver",
  "seccomp.receiver",
  "seccomp_bpf_data",
  "seccomp_fail_unknown_syscall",
].map((name) => `${PREFIX}${name}`);

const REFUSED: Readonly<Record<string, string>> = {
  "seccomp.plugins": "this runtime loads no libraries; use linux.seccomp.listenerPath with an agent",
  "systemd.force_cgroup_v1": "a host with cgroup v2 alone has no v1 hierarchy to show",
  "systemd.subgroup": "the container is in its scope itself",
  "delegate-cgroup": "use a cgroup namespace, which makes the container's cgroup its root",
  handler: "this runtime has no other way to run a container than Linux's",
  timens_offset: "use linux.timeOffsets",
};

/** Reads them. Throws TeuError `unsupported` for those that cannot be followed. */
export function planExtensions(annotations: Readonly<Record<string, string>> | undefined): Extensions {
  if (annotations === undefined) return NONE;
  for (const name of Object.keys(annotations)) {
    const reason = name.startsWith(PREFIX) && Object.hasOwn(REFUSED, name.slice(PREFIX.length));
    if (reason && annotations[name] !== "")
      throw unsupportedConfig(`annotations[${JSON.stringify(name)}]`, REFUSED[name.slice(PREFIX.length)] ?? "");
  }
  const text = (name: string): string => annotations[`${PREFIX}${name}`] ?? "";
  const on = (name: string): boolean => !["", "0", "false"].includes(text(name));
  return {
    keepGroups: on("keep_original_groups"),
    pidfdReceiver: text("pidfd_receiver"),
    seccompReceiver: text("seccomp.receiver"),
    seccompStrict: on("seccomp_fail_unknown_syscall"),
    seccompProgram: text("seccomp_bpf_data"),
    hooksOut: text("hooks.stdout"),
    hooksErr: text("hooks.stderr"),
  };
}
