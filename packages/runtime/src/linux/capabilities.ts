// Capability sets: names of config.json into numbers, and onto the calling process (capabilities(7)).
// portable: no host types here.

import type { TeuError } from "@teu/base/errors";
import { CAPABILITIES } from "@teu/specs/capabilities";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import type { Capabilities } from "@teu/specs/runtime";
import { invalidConfig, verbatim } from "../failure.ts";

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
  try {
    kernel.capability.capset(plan);
  } catch (error) {
    throw isSysError(error, "EPERM") ? notHeld(kernel, plan, error) : error;
  }
  if (plan.ambient.length === 0) return;
  kernel.capability.ambientClear();
  for (const capability of plan.ambient) {
    if (plan.permitted.includes(capability) && plan.inheritable.includes(capability))
      kernel.capability.ambientRaise(capability);
  }
}

/** Engines take the words "operation not permitted" for exit code 126. */
function notHeld(kernel: Kernel, plan: CapabilityPlan, cause: unknown): TeuError {
  const held = kernel.capability.capget(0).permitted;
  const lacking = plan.permitted.filter((capability) => !held.includes(capability)).map((one) => CAPABILITIES[one]);
  const why = lacking.length === 0 ? "" : ` (the runtime itself has no ${lacking.join(", ")})`;
  return verbatim("denied", `unable to apply caps: operation not permitted${why}`, cause);
}
