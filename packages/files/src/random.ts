// Random names and choices. Read from the kernel's device: loading node:crypto takes longer than a container does to start.

import { closeSync, openSync, readSync } from "node:fs";

/** `bytes` random bytes as lower-case hex digits. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

/** A random whole number from 0 to `limit` - 1; `limit` at most 2^32, and small against it: the rest of a division is not quite even. */
export function randomBelow(limit: number): number {
  return randomBytes(4).readUInt32LE() % limit;
}

function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  const device = openSync("/dev/urandom", "r");
  try {
    // random(4): up to 256 bytes come whole.
    for (let at = 0; at < count;) at += readSync(device, bytes, at, count - at, null);
    return bytes;
  } finally {
    closeSync(device);
  }
}
