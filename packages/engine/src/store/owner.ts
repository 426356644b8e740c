// Names a process so that others can tell later whether it still lives: pid alone is reused, so its start time and the boot go with it.

import { readFileSync } from "node:fs";

let self: string | undefined;

/** This process, as `BOOT:PID:STARTTIME`. */
export function selfOwner(): string {
  self ??= `${bootId()}:${process.pid}:${startTime("self") ?? "0"}`;
  return self;
}

/** The first process of this machine in the same form: what it owns counts until the next boot. */
export function thisBoot(): string {
  return `${bootId()}:1:${startTime("1") ?? "0"}`;
}

/** False when the process named by `selfOwner` elsewhere is gone. A process of another pid namespace looks gone; roots are not shared that way. */
export function ownerAlive(owner: string): boolean {
  const [boot, pid, start] = owner.split(":");
  return boot === bootId() && pid !== undefined && startTime(pid) === start;
}

/** The kernel's boot id; changes with each boot. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

function startTime(pid: string): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    // No such process: the only thing this question is about.
    return null;
  }
  // proc(5): the command in parentheses may hold spaces and parentheses; field 22 counts from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A zombie has ended for every purpose here.
  return fields[0] === "Z" ? null : (fields[19] ?? null);
}
