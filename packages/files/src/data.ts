// Content of files: small ones whole in one call, in-kernel copies, holes. Synchronous; sizes in bytes.

import { attempt } from "./addon.ts";
import { splitTime } from "./attributes.ts";

/** Owner, mode (without type) and modification time of a file to be written. */
export interface NewFile {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
}

/**
 * Creates `name`, which must not exist, with content and attributes, whatever the umask. Never follows a symlink.
 * @throws TeuError `already-exists`; on later failures the file is left for the caller to remove.
 */
export function writeNewFile(dirfd: number, name: string, data: Uint8Array, file: NewFile): void {
  const [mtime, rest] = splitTime(file.mtimeNs);
  attempt("write", name, (addon) => addon.writeNewFile(dirfd, name, data, file.mode, file.uid, file.gid, mtime, rest));
}

/** Writes everything at the descriptor's position. */
export function writeAll(fd: number, data: Uint8Array): void {
  attempt("write", `fd ${fd}`, (addon) => addon.writeAll(fd, data));
}

/** Copies up to `count` bytes between positions, as reflink where possible; returns how many, fewer only at the end. */
export function copyRange(from: number, to: number, count: number): number {
  return attempt("copy", `fd ${from}`, (addon) => addon.copyRange(from, to, count));
}

/** Cuts or extends (with a hole) to `size`. */
export function truncate(fd: number, size: number): void {
  attempt("truncate", `fd ${fd}`, (addon) => addon.ftruncate(fd, size));
}

/** Reserves room for the first `size` bytes; false where the file system cannot. */
export function allocate(fd: number, size: number): boolean {
  return attempt("allocate", `fd ${fd}`, (addon) => addon.allocate(fd, size));
}

/** Start of the next data at or after `offset`, or -1 when there is none. */
export function seekData(fd: number, offset: number): number {
  return attempt("seek", `fd ${fd}`, (addon) => addon.seekExtent(fd, offset, false));
}

/** Start of the next hole at or after `offset` (the end of the file counts as one), or -1 beyond the end. */
export function seekHole(fd: number, offset: number): number {
  return attempt("seek", `fd ${fd}`, (addon) => addon.seekExtent(fd, offset, true));
}
