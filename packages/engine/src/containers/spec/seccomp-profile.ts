// Profiles in Docker's file format (--security-opt seccomp=FILE): conditions on capabilities, architecture and kernel are
// resolved, the rest is the runtime-spec's filter.

import { TeuError } from "@teu/base/errors";
import type { Seccomp, SeccompAction, SeccompArg, SeccompSyscall } from "@teu/specs/runtime";

import { type HostFacts, since } from "./host-facts.ts";

/** A condition of Docker's format. */
interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface ProfileRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[] | null;
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

interface Profile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly ProfileRule[] | null;
}

const MACHINES: Readonly<Record<string, { readonly seccomp: string; readonly go: string }>> = {
  x64: { seccomp: "SCMP_ARCH_X86_64", go: "amd64" },
  arm64: { seccomp: "SCMP_ARCH_AARCH64", go: "arm64" },
};

/** Checks the outer form of a profile's text. @throws TeuError `invalid`. */
export function parseProfile(text: string): Profile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse("it is not JSON", cause);
  }
  const profile = value as Partial<Profile> | null;
  if (typeof profile !== "object" || profile === null || typeof profile.defaultAction !== "string")
    throw refuse("defaultAction is missing");
  const rules = profile.syscalls ?? [];
  if (!Array.isArray(rules)) throw refuse("syscalls must be a list");
  for (const [index, rule] of (rules as readonly (Partial<ProfileRule> | null)[]).entries()) {
    const named =
      rule !== null && typeof rule === "object" && (typeof rule.name === "string" || Array.isArray(rule.names));
    if (!named || typeof rule.action !== "string") throw refuse(`syscalls[${index}] needs names and an action`);
  }
  return profile as Profile;
}

/** The filter that a profile means on this host for a container with these capabilities. */
export function resolveProfile(text: string, capabilities: readonly string[], facts: HostFacts): Seccomp {
  const profile = parseProfile(text);
  const machine = MACHINES[facts.architecture];
  const mapped = (profile.archMap ?? [])
    .filter((entry) => entry.architecture === machine?.seccomp)
    .flatMap((entry) => [entry.architecture, ...(entry.subArchitectures ?? [])]);
  const architectures = profile.architectures ?? mapped;
  const holds = (condition: Condition | undefined, empty: boolean): boolean => {
    if (condition === undefined || Object.keys(condition).length === 0) return empty;
    const kernel = condition.minKernel?.split(".").map(Number);
    return [
      condition.caps === undefined ||
        condition.caps.length === 0 ||
        (empty ? condition.caps.every(has) : condition.caps.some(has)),
      condition.arches === undefined || condition.arches.length === 0 || condition.arches.includes(machine?.go ?? ""),
      kernel === undefined || since(facts, kernel[0] ?? 0, kernel[1] ?? 0),
    ].every(Boolean);
  };
  const has = (name: string) => capabilities.includes(name);
  const syscalls = (profile.syscalls ?? [])
    .filter((rule) => holds(rule.includes, true) && !holds(rule.excludes, false))
    .map(ruleOf);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    ...(profile.listenerPath === undefined ? {} : { listenerPath: profile.listenerPath }),
    ...(profile.listenerMetadata === undefined ? {} : { listenerMetadata: profile.listenerMetadata }),
    ...(syscalls.length === 0 ? {} : { syscalls }),
  };
}

function ruleOf(rule: ProfileRule): SeccompSyscall {
  const names = [...(rule.name === undefined ? [] : [rule.name]), ...(rule.names ?? [])];
  const args = rule.args ?? [];
  return {
    names,
    action: rule.action,
    ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    ...(args.length === 0 ? {} : { args }),
  };
}

function refuse(message: string, cause?: unknown): TeuError {
  return new TeuError({
    code: "invalid",
    op: "read seccomp profile",
    message,
    ...(cause === undefined ? {} : { cause }),
  });
}
