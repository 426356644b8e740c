// Owner, mode and times of files. Change the owner before the mode: chown clears setuid and setgid.

import { attempt } from "./addon.ts";
import { AT_SYMLINK_NOFOLLOW } from "./constants.ts";

/** utimensat's "leave this time alone". */
const UTIME_OMIT = 0x3ffffffe;

/** fchown(2). */
export function fchown(fd: number, uid: number, gid: number): void {
  attempt("chown", `fd ${fd}`, (addon) => addon.fchown(fd, uid, gid));
}

/** fchownat(2), of a symlink itself. */
export function chownAt(dirfd: number, name: string, uid: number, gid: number): void {
  attempt("chown", name, (addon) => addon.fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW));
}

/** fchmod(2). */
export function fchmod(fd: number, mode: number): void {
  attempt("chmod", `fd ${fd}`, (addon) => addon.fchmod(fd, mode));
}

/** fchmodat(2). Follows a final symlink: only for names known not to be one. */
export function chmodAt(dirfd: number, name: string, mode: number): void {
  attempt("chmod", name, (addon) => addon.fchmodat(dirfd, name, mode, 0));
}

/** futimens(3) with nanoseconds since 1970; without `atimeNs` that time is left alone. */
export function futimens(fd: number, mtimeNs: bigint, atimeNs?: bigint): void {
  const [mtime, mtimeRest] = splitTime(mtimeNs);
  const [atime, atimeRest] = atimeNs === undefined ? [0, UTIME_OMIT] : splitTime(atimeNs);
  attempt("set times", `fd ${fd}`, (addon) => addon.futimens(fd, atime, atimeRest, mtime, mtimeRest));
}

/** As `futimens`, of an entry, a symlink itself. */
export function setTimesAt(dirfd: number, name: string, mtimeNs: bigint, atimeNs?: bigint): void {
  const [mtime, mtimeRest] = splitTime(mtimeNs);
  const [atime, atimeRest] = atimeNs === undefined ? [0, UTIME_OMIT] : splitTime(atimeNs);
  attempt("set times", name, (addon) =>
    addon.utimensat(dirfd, name, atime, atimeRest, mtime, mtimeRest, AT_SYMLINK_NOFOLLOW),
  );
}

/**
 * Says of a directory that those that will be made in it have nothing to do with each other (`chattr +T`), so that ext4 puts each in
 * another part of the disk. False where the file system does not do that, or this user may not: it is a hint only.
 */
export function spreadSubdirectories(fd: number): boolean {
  return attempt("spread directories", `fd ${fd}`, (addon) => addon.setTopDirectory(fd));
}

const SECOND = 1_000_000_000n;
/** The files of a layer often have the same time one after the other, and arithmetic on bigints is slow. */
let lastTime = 0n;
let lastSplit: readonly [seconds: number, rest: number] = [0, 0];

/** Whole seconds (rounded down) and the nanoseconds on top, as timespec has them. */
export function splitTime(nanoseconds: bigint): readonly [seconds: number, rest: number] {
  if (nanoseconds === lastTime) return lastSplit;
  const truncated = nanoseconds / SECOND;
  const rest = nanoseconds - truncated * SECOND;
  lastSplit = rest < 0n ? [Number(truncated - 1n), Number(rest + SECOND)] : [Number(truncated), Number(rest)];
  lastTime = nanoseconds;
  return lastSplit;
}
