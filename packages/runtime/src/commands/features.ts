// features: what this runtime can do, as JSON (runtime-spec, "Features Structure"). CRI, dockerd and CRI-O read it.
// portable: no host types here.

import { CAPABILITIES } from "@teu/specs/capabilities";
import { SCMP_ACT_ALLOW } from "@teu/sys/constants/seccomp";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { RUNTIME_SPEC_VERSION } from "@teu/specs/runtime";
import type { Features } from "@teu/specs/runtime-features";
import type { Command } from "../cli/command.ts";
import { EXTENSION_NAMES } from "../linux/extensions.ts";
import { MEMORY_FLAGS, MEMORY_MODES } from "../linux/memory-policy.ts";
import { MOUNT_OPTION_NAMES } from "../linux/mount-options.ts";
import { NAMESPACE_FLAGS } from "../linux/namespaces.ts";
import { SECCOMP_FLAGS } from "../linux/seccomp.ts";

const ACTIONS: readonly string[] = [
  "ALLOW",
  "ERRNO",
  "KILL",
  "KILL_PROCESS",
  "KILL_THREAD",
  "LOG",
  "NOTIFY",
  "TRACE",
  "TRAP",
];
const OPERATORS: readonly string[] = ["EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"];
const ARCHITECTURES: readonly string[] = [
  "AARCH64",
  "ARM",
  "LOONGARCH64",
  "MIPS",
  "MIPS64",
  "MIPS64N32",
  "MIPSEL",
  "MIPSEL64",
  "MIPSEL64N32",
  "PPC",
  "PPC64",
  "PPC64LE",
  "RISCV64",
  "S390",
  "S390X",
  "X32",
  "X86",
  "X86_64",
];

/** The command. */
export const features: Command = {
  name: "features",
  operands: "",
  doc: "show the enabled features",
  flags: [],
  minOperands: 0,
  maxOperands: 0,
  run: ({ kernel }) => {
    const report: Features = {
      ociVersionMin: "1.0.0",
      ociVersionMax: RUNTIME_SPEC_VERSION,
      hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
      mountOptions: MOUNT_OPTION_NAMES,
      linux: {
        namespaces: Object.keys(NAMESPACE_FLAGS).sort(),
        capabilities: CAPABILITIES,
        cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
        seccomp: {
          enabled: true,
          actions: ACTIONS.map((name) => `SCMP_ACT_${name}`),
          operators: OPERATORS.map((name) => `SCMP_CMP_${name}`),
          archs: ARCHITECTURES.filter((name) => hasArchitecture(kernel, name)).map((name) => `SCMP_ARCH_${name}`),
          knownFlags: Object.keys(SECCOMP_FLAGS),
          supportedFlags: Object.keys(SECCOMP_FLAGS).filter((name) => hasFlag(kernel, name)),
        },
        apparmor: { enabled: true },
        selinux: { enabled: true },
        intelRdt: { enabled: true, schemata: true, monitoring: true },
        memoryPolicy: { modes: Object.keys(MEMORY_MODES), flags: Object.keys(MEMORY_FLAGS) },
        mountExtensions: { idmap: { enabled: true } },
        netDevices: { enabled: true },
      },
      // A name that ends with a dot stands for all that begin so.
      potentiallyUnsafeConfigAnnotations: ["run.oci."],
      annotations: {
        "org.teu.runtime.annotations": EXTENSION_NAMES.join(","),
        "io.github.seccomp.libseccomp.version": kernel.seccomp.libraryVersion(),
      },
    };
    kernel.host.print(JSON.stringify(report, null, 2));
    return 0;
  },
};

/** Does the libseccomp that we carry know it? */
function hasArchitecture(kernel: Kernel, name: string): boolean {
  try {
    kernel.seccomp.compile({ defaultAction: SCMP_ACT_ALLOW, architectures: [name.toLowerCase()], rules: [] });
    return true;
  } catch (error) {
    if (isSysError(error)) return false;
    throw error;
  }
}

/** Linux since when; the others are older than all that this program runs on. */
const FLAG_SINCE: Readonly<Record<string, readonly [number, number]>> = {
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: [5, 19],
};

function hasFlag(kernel: Kernel, name: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernel.process.uname().release) ?? []).map(Number);
  const [sinceMajor, sinceMinor] = FLAG_SINCE[name] ?? [0, 0];
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}
