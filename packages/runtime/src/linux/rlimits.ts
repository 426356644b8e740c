// process.rlimits (runtime-spec, "POSIX process": rlimits).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { RLIMIT_NAMES } from "@teu/sys/constants/signals";
import type { Kernel } from "@teu/sys/kernel";
import type { Rlimit } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";

/** One limit by its number; -1 is infinity. */
export interface RlimitStep {
  readonly name: string;
  readonly resource: number;
  readonly soft: number;
  readonly hard: number;
}

/** Checks names and that none is given twice. Throws TeuError `invalid`. */
export function planRlimits(rlimits: readonly Rlimit[] | undefined, at: string): RlimitStep[] {
  const seen = new Set<string>();
  return (rlimits ?? []).map(({ type, soft, hard }, index) => {
    const resource = RLIMIT_NAMES.indexOf(type);
    if (resource < 0)
      throw invalidConfig(`${at}.rlimits[${index}].type`, `invalid rlimit type ${JSON.stringify(type)}`);
    if (seen.has(type)) throw invalidConfig(`${at}.rlimits[${index}].type`, `${type} is given twice`);
    if (soft > hard) throw invalidConfig(`${at}.rlimits[${index}]`, "soft is above hard");
    seen.add(type);
    return { name: type, resource, soft: limit(soft), hard: limit(hard) };
  });
}

function limit(value: number): number {
  return value > Number.MAX_SAFE_INTEGER ? -1 : value;
}

/** Sets them on this process. */
export function applyRlimits(kernel: Kernel, steps: readonly RlimitStep[]): void {
  for (const { name, resource, soft, hard } of steps) {
    try {
      kernel.process.setrlimit(0, resource, soft, hard);
    } catch (error) {
      throw new TeuError({
        code: "denied",
        op: "set rlimit",
        subject: name,
        message: `soft ${soft}, hard ${hard} is refused`,
        hint: "Raising a hard limit needs CAP_SYS_RESOURCE.",
        cause: error,
      });
    }
  }
}
