// Resource limits of the container's process. Defaults are cut to what the host lets us set; a wish of the user is not.

import { TeuError } from "@teu/base/errors";
import type { Rlimit } from "@teu/specs/runtime";

import type { UlimitOption } from "../create-options.ts";
import type { HostFacts } from "./host-facts.ts";

/** What current service managers give: enough files for servers, a soft limit that does not slow down programs that close them all. */
const DEFAULT_NOFILE = { soft: 1024, hard: 524_288 } as const;

/** The kernel's 2^64-1 is no double, and the next one is too large for runc; from 2^63 on our runtime takes it as unlimited. */
const UNLIMITED = 2 ** 63;

/**
 * The `rlimits` of a process.
 * @throws TeuError `unsupported` when a limit asked for is above the host's and cannot be raised.
 */
export function rlimits(wishes: readonly UlimitOption[], facts: HostFacts): Rlimit[] {
  const canRaise = facts.capabilities.includes("CAP_SYS_RESOURCE");
  const ceiling = (type: string) => (canRaise ? Infinity : (facts.hardLimits[type] ?? Infinity));
  const list = wishes.map((wish) => {
    const type = `RLIMIT_${wish.name.toUpperCase()}`;
    const hard = wish.hard === -1 ? Infinity : wish.hard;
    if (hard > ceiling(type)) {
      throw new TeuError({
        code: "unsupported",
        op: "set ulimit",
        subject: wish.name,
        message: `the host's hard limit is ${ceiling(type)} and cannot be raised without CAP_SYS_RESOURCE`,
      });
    }
    return { type, soft: number(wish.soft), hard: number(wish.hard) };
  });
  if (!list.some((limit) => limit.type === "RLIMIT_NOFILE")) {
    const hard = Math.min(DEFAULT_NOFILE.hard, ceiling("RLIMIT_NOFILE"));
    list.push({ type: "RLIMIT_NOFILE", soft: Math.min(DEFAULT_NOFILE.soft, hard), hard });
  }
  return list;
}

function number(value: number): number {
  return value === -1 ? UNLIMITED : value;
}
