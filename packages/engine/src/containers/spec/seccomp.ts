// The seccomp part of a container's spec: the default filter for its capabilities, a profile of the user's, or none.

import { TeuError } from "@teu/base/errors";
import type { Seccomp, SeccompSyscall } from "@teu/specs/runtime";

import type { ContainerSettings } from "../container-settings.ts";
import { type HostFacts, since } from "./host-facts.ts";
import {
  ALLOWED,
  ALLOWED_BY_ARCHITECTURE,
  ALLOWED_BY_CAPABILITY,
  ALLOWED_SINCE_4_8,
  NAMESPACE_FLAGS,
  PERSONALITIES,
  VSOCK,
} from "./seccomp-default.ts";
import { resolveProfile } from "./seccomp-profile.ts";

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

const EPERM = 1;
const ENOSYS = 38;

/** The filter of a container with these capabilities; null: none. */
export function seccompFilter(
  settings: ContainerSettings,
  capabilities: readonly string[],
  facts: HostFacts,
): Seccomp | null {
  if (settings.seccomp.kind === "profile") return resolveProfile(settings.seccomp.text, capabilities, facts);
  if (settings.privileged || settings.seccomp.kind === "unconfined") return null;
  return defaultFilter(capabilities, facts);
}

/** The default filter. */
export function defaultFilter(capabilities: readonly string[], facts: HostFacts): Seccomp {
  const gated = capabilities.flatMap((name) => ALLOWED_BY_CAPABILITY[name] ?? []);
  const names = new Set([
    ...Object.values(ALLOWED).flat(),
    ...(ALLOWED_BY_ARCHITECTURE[facts.architecture] ?? []),
    ...gated,
    ...(since(facts, 4, 8) ? ALLOWED_SINCE_4_8 : []),
  ]);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: architecturesOf(facts),
    syscalls: [{ names: [...names], action: "SCMP_ACT_ALLOW" }, ...conditional(capabilities.includes("CAP_SYS_ADMIN"))],
  };
}

/** Names of the architectures that this host runs. @throws TeuError `unsupported` for one that is not known here. */
function architecturesOf(facts: HostFacts): readonly string[] {
  const found = ARCHITECTURES[facts.architecture];
  if (found !== undefined) return found;
  throw new TeuError({
    code: "unsupported",
    op: "make seccomp filter",
    subject: facts.architecture,
    message: "no default filter for this architecture",
    hint: "use --security-opt seccomp=unconfined",
  });
}

/** Calls that are allowed for some arguments only. */
function conditional(admin: boolean): SeccompSyscall[] {
  const rules: SeccompSyscall[] = [
    ...PERSONALITIES.map((value): SeccompSyscall => ({
      names: ["personality"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
    })),
    { names: ["socket"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: VSOCK, op: "SCMP_CMP_NE" }] },
  ];
  if (admin) return rules;
  return [
    ...rules,
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
    // clone3's flags are behind a pointer: ENOSYS, not EPERM, makes libc fall back to clone, whose flags can be judged.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  ];
}
