// Small files of a known largest size: policies and keys.

import { open } from "node:fs/promises";

import { signingError } from "./signing-error.ts";

/** The bytes. Errors of the system are passed on. @throws TeuError `exhausted` for a larger file. */
export async function readLimitedFile(file: string, limit: number): Promise<Uint8Array> {
  await using handle = await open(file, "r");
  const bytes = new Uint8Array(limit + 1);
  for (let length = 0; ;) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length);
    length += bytesRead;
    if (length > limit) throw signingError("exhausted", "read", `more than ${limit} bytes`, { subject: file });
    if (bytesRead === 0) return bytes.slice(0, length);
  }
}
