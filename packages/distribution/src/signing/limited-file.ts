// Small files of a known largest size: policies and keys.

import { open } from "node:fs/promises";

import { signingError } from "./signing-error.ts";

/** Read at first; most are smaller. */
const FIRST_BYTES = 16 << 10;

/** The bytes. Errors of the system are passed on. @throws TeuError `exhausted` for a larger file. */
export async function readLimitedFile(file: string, limit: number): Promise<Uint8Array> {
  await using handle = await open(file, "r");
  let bytes = new Uint8Array(Math.min(FIRST_BYTES, limit + 1));
  for (let length = 0; ;) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length);
    length += bytesRead;
    if (length > limit) throw signingError("exhausted", "read", `more than ${limit} bytes`, { subject: file });
    if (bytesRead === 0) return bytes.slice(0, length);
    if (length < bytes.length) continue;
    const before = bytes;
    bytes = new Uint8Array(Math.min(2 * length, limit + 1));
    bytes.set(before);
  }
}
