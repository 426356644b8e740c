// Which capabilities a container's process gets: Docker's default fourteen, changed by --cap-add, --cap-drop and --privileged.

import { TeuError } from "@teu/base/errors";
import { CAPABILITIES } from "@teu/specs/capabilities";
import type { Capabilities } from "@teu/specs/runtime";

/** What a container has when nobody says otherwise. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** What was asked for. */
export interface CapabilityWishes {
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
}

/**
 * A capability as people write it ("net_admin", "CAP_NET_ADMIN", "all") in its one spelling.
 * @throws TeuError `invalid` when there is none of this name.
 */
export function normaliseCapability(text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL") return upper;
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (CAPABILITIES.includes(name)) return name;
  throw new TeuError({
    code: "invalid",
    op: "read capability",
    subject: text,
    message: "there is no capability of this name",
    hint: "capabilities(7) lists them; ALL means all",
  });
}

/**
 * The bounding set. `available` is the engine's own: defaults and ALL are cut to it.
 * @throws TeuError `unsupported` when a capability added by name is not available.
 */
export function capabilityNames(wishes: CapabilityWishes, available: readonly string[]): string[] {
  const { privileged, capAdd, capDrop } = wishes;
  for (const name of capAdd) {
    if (name === "ALL" || available.includes(name)) continue;
    throw new TeuError({
      code: "unsupported",
      op: "add capability",
      subject: name,
      message: "this host does not have it to give",
    });
  }
  const dropAll = capDrop.includes("ALL");
  const base =
    privileged || capAdd.includes("ALL")
      ? available
      : dropAll
        ? []
        : DEFAULT_CAPABILITIES.filter((name) => available.includes(name));
  const wanted = new Set([...base, ...capAdd]);
  // As in Docker: a single addition survives --cap-drop ALL, a single drop beats --cap-add ALL; privileged ignores drops.
  if (!privileged)
    for (const name of capDrop) if (name !== "ALL" && !(dropAll && capAdd.includes(name))) wanted.delete(name);
  return CAPABILITIES.filter((name) => wanted.has(name));
}

/** The sets of a process. A user other than root has none in effect, as execve(2) would leave it; the bounding set stays. */
export function capabilitySets(names: readonly string[], uid: number): Capabilities {
  const held = uid === 0 ? names : [];
  return { bounding: names, effective: held, permitted: held, inheritable: [], ambient: [] };
}

/** Names in a mask as /proc/PID/status shows it: "000001fffeffffff". */
export function capabilitiesOfMask(hex: string): string[] {
  const mask = BigInt(`0x${hex}`);
  return CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}
