// Capability sets: names of config.json into numbers, and onto the calling process (capabilities(7)).
// portable: no host types here.

import { CAPABILITIES } from "@teu/sys/constants/capabilities";
import type { Kernel } from "@teu/sys/kernel";
import type { Capabilities } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";

/** The five sets as numbers. */
export interface CapabilityPlan {
  readonly bounding: readonly number[];
  readonly effective: readonly number[];
  readonly permitted: readonly number[];
  readonly inheritable: readonly number[];
  readonly ambient: readonly number[];
}

/** Reads the sets; no `capabilities` at all means none. An unknown name is an error (runtime-spec: "MUST generate an error"). */
export function planCapabilities(capabilities: Capabilities | undefined, at: string): CapabilityPlan {
  const numbers = (set: keyof Capabilities): number[] =>
    (capabilities?.[set] ?? []).map((name) => {
      const number = CAPABILITIES.indexOf(name.toUpperCase());
      if (number < 0) throw invalidConfig(`${at}.${set}`, `unknown capability ${JSON.stringify(name)}`);
      return number;
    });
  return {
    bounding: numbers("bounding"),
    effective: numbers("effective"),
    permitted: numbers("permitted"),
    inheritable: numbers("inheritable"),
    ambient: numbers("ambient"),
  };
}

/**
 * Drops the bounding set to the plan's, of all that the kernel knows: it may know more than we have names for. Needs CAP_SETPCAP, so it
 * comes before the change of user.
 */
export function applyBounding(kernel: Kernel, plan: CapabilityPlan): void {
  kernel.capability.boundingKeepOnly(plan.bounding);
}

/**
 * Sets the other four. Ambient capabilities that the kernel refuses are left out: the ambient set is a subset of permitted
 * and inheritable by its definition, and runc and crun treat it so.
 */
export function applyCapabilities(kernel: Kernel, plan: CapabilityPlan): void {
  kernel.capability.capset(plan);
  if (plan.ambient.length === 0) return;
  kernel.capability.ambientClear();
  for (const capability of plan.ambient) {
    if (plan.permitted.includes(capability) && plan.inheritable.includes(capability))
      kernel.capability.ambientRaise(capability);
  }
}
