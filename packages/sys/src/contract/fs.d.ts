// sys:fs: files relative to directory fds. Every fd returned is close-on-exec and the caller's to close.
// O_* numbers are x86_64's on every machine; the host translates. Paths are strings; bytes that are not UTF-8
// survive as surrogate escapes U+DC80..U+DCFF, as in Python. `dirfd` -100 is AT_FDCWD. A NUL in a path is EINVAL, a lone surrogate
// that is no escape EILSEQ, a number that cannot be a descriptor EBADF; a value of the wrong type is a TypeError.

declare module "sys:fs" {
  /** statx(2), basic set. Sizes in bytes, times in nanoseconds since 1970 (bigint), `mode` with the file type bits. */
  export interface Stat {
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly size: number;
    readonly ino: number;
    readonly nlink: number;
    readonly devMajor: number;
    readonly devMinor: number;
    readonly rdevMajor: number;
    readonly rdevMinor: number;
    readonly mtimeNs: bigint;
    readonly ctimeNs: bigint;
    /** STATX_MNT_ID, 0 where the kernel has none. */
    readonly mountId: number;
    /** stx_attributes, e.g. STATX_ATTR_MOUNT_ROOT 0x2000. */
    readonly attributes: number;
  }
  export interface StatFs {
    /** f_type, e.g. PROC_SUPER_MAGIC 0x9fa0. */
    readonly type: number;
    /** f_flags: ST_RDONLY 1 ... */
    readonly flags: number;
    readonly blockSize: number;
    readonly blocks: number;
    readonly blocksFree: number;
  }
  export interface DirEntry {
    readonly name: string;
    /** DT_*: 4 directory, 8 regular, 10 symlink ... 0 unknown. */
    readonly type: number;
  }

  /** openat2(2) with `resolve` RESOLVE_*; retries EAGAIN a bounded number of times. */
  export function openat2(dirfd: number, path: string, flags: number, mode: number, resolve: number): number;
  /** The same, but -1 when there is nothing of that name (ENOENT, ENOTDIR): an exception costs more than the call. */
  export function openIfThere(dirfd: number, path: string, flags: number, mode: number, resolve: number): number;
  export function openat(dirfd: number, path: string, flags: number, mode: number): number;
  export function close(fd: number): void;
  /** close_range(2); `flags` 4 = CLOSE_RANGE_CLOEXEC. `last` 4294967295: all. */
  export function closeRange(first: number, last: number, flags: number): void;
  /** read(2): up to `count` bytes; empty at end of file. Retries EINTR. */
  export function read(fd: number, count: number): Uint8Array;
  export function pread(fd: number, count: number, offset: number): Uint8Array;
  /** write(2) until everything is written, or throws (EAGAIN included: `written` on the error says how far). */
  export function write(fd: number, data: Uint8Array | string): number;
  /** One write(2); returns the count, throws EAGAIN. */
  export function writeSome(fd: number, data: Uint8Array): number;
  export function pwrite(fd: number, data: Uint8Array, offset: number): number;
  export function lseek(fd: number, offset: number, whence: number): number;
  /**
   * Whole file as text, at most `limit` bytes; longer: EFBIG. Bytes that are not UTF-8 are escaped, so that paths in it stay usable.
   * Never blocks: a FIFO is empty, or EAGAIN when a writer has it open.
   */
  export function readTextAt(dirfd: number, path: string, limit: number): string;
  /** open(O_WRONLY, no create) + one write(2) + close: what cgroup and procfs files want. Subject of the error is the path. */
  export function writeTextAt(dirfd: number, path: string, text: string): void;
  export function fstat(fd: number): Stat;
  /** The uid of `statAt` without flags alone: no object of fourteen values for each container of a list. */
  export function ownerAt(dirfd: number, path: string): number;
  /** statx(2); `flags` AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH ... */
  export function statAt(dirfd: number, path: string, flags: number): Stat;
  export function fstatfs(fd: number): StatFs;
  /** statfs(2): f_type of what `path` is on; 0 when there is no such path (ENOENT, ENOTDIR), other errors throw. */
  export function filesystemType(path: string): number;
  /** faccessat2(2), or faccessat(2) where a filter refuses that; true or false for ENOENT, ENOTDIR, EACCES; other errors throw. */
  export function accessAt(dirfd: number, path: string, mode: number): boolean;
  export function mkdirAt(dirfd: number, path: string, mode: number): void;
  export function mknodAt(dirfd: number, path: string, mode: number, major: number, minor: number): void;
  export function symlinkAt(target: string, dirfd: number, path: string): void;
  export function linkAt(fromFd: number, from: string, toFd: number, to: string, flags: number): void;
  export function unlinkAt(dirfd: number, path: string, flags: number): void;
  /** renameat2(2). */
  export function renameAt(fromFd: number, from: string, toFd: number, to: string, flags: number): void;
  export function readlinkAt(dirfd: number, path: string): string;
  export function fchmod(fd: number, mode: number): void;
  /** fchmodat(2) following links, or fchmodat2(2) when flags are given. */
  export function chmodAt(dirfd: number, path: string, mode: number, flags: number): void;
  export function chownAt(dirfd: number, path: string, uid: number, gid: number, flags: number): void;
  export function fchown(fd: number, uid: number, gid: number): void;
  export function ftruncate(fd: number, size: number): void;
  export function fsync(fd: number): void;
  /** flock(2) LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8. */
  export function flock(fd: number, operation: number): void;
  /** All entries but "." and "..". */
  export function readDir(fd: number): DirEntry[];
  /**
   * Recursive removal of `path`; missing is fine. The directories on the way to its last name are the caller's to trust; from there
   * on no symlink is followed and no mount crossed.
   */
  export function removeTree(dirfd: number, path: string): void;
  /** getxattr(2): follows a final symlink. */
  export function getxattr(path: string, name: string): Uint8Array;
  export function setxattr(path: string, name: string, value: Uint8Array, flags: number): void;
  export function fsetxattr(fd: number, name: string, value: Uint8Array, flags: number): void;
  export function memfdCreate(name: string, flags: number): number;
  /** fcntl(F_ADD_SEALS). */
  export function addSeals(fd: number, seals: number): void;
  /** pipe2(2), [read end, write end]. */
  export function pipe2(flags: number): [number, number];
  /** fcntl(F_DUPFD_CLOEXEC) from `min` up. */
  export function dup(fd: number, min: number): number;
  /** dup3(2); when both are equal, only the flag is changed. `cloexec` false: survives exec. */
  export function dup3(fd: number, to: number, cloexec: boolean): void;
  export function setCloexec(fd: number, on: boolean): void;
  export function setNonblock(fd: number, on: boolean): void;
  export function mkfifoAt(dirfd: number, path: string, mode: number): void;
  /**
   * copy_file_range/splice/read+write from one fd to another until `count` bytes or end of file; returns bytes moved.
   * After some bytes an error (EAGAIN included) ends the copy and shows at the next call.
   */
  export function copy(from: number, to: number, count: number): number;
  /** umask-independent, durable replace: temp file beside it, write, fsync (when `sync`), rename. Nothing half-written is ever visible. */
  export function replaceFileAt(
    dirfd: number,
    path: string,
    data: Uint8Array | string,
    mode: number,
    sync: boolean,
  ): void;
}
