// statx and fstatfs with nanoseconds, relative to directory descriptors.

import { TeuError } from "@teu/base/errors";

import { attempt, type FilesAddon } from "./addon.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, S_IFMT } from "./constants.ts";

/** What is known of a file. Sizes in bytes, times in nanoseconds since 1970. */
export interface Stat {
  /** With the file type bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly ino: bigint;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Allocated, in units of 512 bytes. */
  readonly blocks: number;
  /** 0 where the kernel has none. */
  readonly mountId: number;
}

/** Room and kind of a file system. */
export interface FileSystemStat {
  /** f_type: 0xef53 ext4, 0x01021994 tmpfs, 0x794c7630 overlay ... */
  readonly type: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly inodes: number;
  readonly inodesFree: number;
  readonly flags: number;
}

const FIELDS = 20;
// Filled and read within one synchronous call, so one for all.
const scratch = new Float64Array(FIELDS);

/** The entry `path` below `dirfd`, itself when a symlink, or null when there is none. */
export function lookupAt(dirfd: number, path: string, flags: number = AT_SYMLINK_NOFOLLOW): Stat | null {
  return attempt("stat", path, (addon) => statx(addon, dirfd, path, flags));
}

/** As `lookupAt`. @throws TeuError `not-found` when there is none. */
export function statAt(dirfd: number, path: string, flags: number = AT_SYMLINK_NOFOLLOW): Stat {
  const found = lookupAt(dirfd, path, flags);
  if (found !== null) return found;
  throw new TeuError({
    code: "not-found",
    op: "stat",
    subject: path,
    message: "no such file or directory (ENOENT)",
    detail: { errno: "ENOENT", syscall: "statx", path },
  });
}

/** What `fd` is; also for O_PATH descriptors. */
export function fstat(fd: number): Stat {
  return statAt(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

/** The file system that `fd` is on. */
export function fstatfs(fd: number): FileSystemStat {
  const [
    type = 0,
    blockSize = 0,
    blocks = 0,
    blocksFree = 0,
    blocksAvailable = 0,
    inodes = 0,
    inodesFree = 0,
    flags = 0,
  ] = attempt("statfs", `fd ${fd}`, (addon) => addon.fstatfs(fd));
  return { type, blockSize, blocks, blocksFree, blocksAvailable, inodes, inodesFree, flags };
}

/** Whether `mode` has this S_IF* type. */
export function isType(mode: number, type: number): boolean {
  return (mode & S_IFMT) === type;
}

function statx(addon: FilesAddon, dirfd: number, path: string, flags: number): Stat | null {
  if (!addon.statx(dirfd, path, flags, scratch)) return null;
  const field = (index: number): number => scratch[index] as number;
  return {
    mode: field(0),
    nlink: field(1),
    uid: field(2),
    gid: field(3),
    size: field(4),
    ino: (BigInt(field(5)) << 32n) | BigInt(field(6)),
    devMajor: field(7),
    devMinor: field(8),
    rdevMajor: field(9),
    rdevMinor: field(10),
    mtimeNs: nanoseconds(field(11), field(12)),
    atimeNs: nanoseconds(field(13), field(14)),
    ctimeNs: nanoseconds(field(15), field(16)),
    blocks: field(17),
    mountId: field(18),
  };
}

function nanoseconds(seconds: number, rest: number): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
}
