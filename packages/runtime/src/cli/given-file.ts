// Reads a file that the user names: config.json, process.json, resources. Something else in its place (a FIFO, a device) must
// neither keep the runtime waiting nor be taken for an empty document.
// portable: no host types here.

import { AT_FDCWD, S_IFDIR, S_IFMT, S_IFREG } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { verbatim } from "../failure.ts";

/** Its text, at most `limit` bytes. Throws `invalid` when `path` is no regular file, SysError (ENOENT, EFBIG ...) otherwise. */
export function readGivenFile(kernel: Kernel, path: string, limit: number): string {
  let text = "";
  try {
    text = kernel.fs.readTextAt(AT_FDCWD, path, limit);
  } catch (error) {
    if (!isSysError(error, "EAGAIN") && !isSysError(error, "EISDIR")) throw error;
  }
  // Looked at only when nothing came: what is read never blocks, and has no other way to end with nothing (packages/sys, readTextAt).
  if (text === "") refuseOddFile(kernel, path);
  return text;
}

function refuseOddFile(kernel: Kernel, path: string): void {
  const type = kernel.fs.statAt(AT_FDCWD, path, 0).mode & S_IFMT;
  if (type !== S_IFREG)
    throw verbatim("invalid", `${path} is not a regular file${type === S_IFDIR ? ", but a directory" : ""}`);
}
