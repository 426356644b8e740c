// Finds file descriptors that a test left open.

import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What is open now, by descriptor number. */
export function openDescriptors(): Map<number, string> {
  const open = new Map<number, string>();
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The descriptor of the listing itself is closed by now.
    }
  }
  return open;
}

/** Runs `body`; throws when files or sockets are open afterwards that were not before. Closing may take a moment. */
export async function withoutFdLeak<T>(body: () => Promise<T>): Promise<T> {
  const before = openDescriptors();
  const result = await body();
  let leaked: string[] = [];
  for (let tries = 0; tries < 40; tries++) {
    leaked = [...openDescriptors()]
      .filter(([fd, target]) => before.get(fd) !== target && /^(?:\/|socket:)/.test(target))
      .map(([fd, target]) => `${fd} -> ${target}`);
    if (leaked.length === 0) return result;
    await sleep(25);
  }
  throw new Error(`descriptors left open: ${leaked.join(", ")}`);
}
