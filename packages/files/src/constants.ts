// Numbers of Linux's file interface that the functions of this package take. Same on x86_64 and arm64 except O_DIRECTORY,
// O_NOFOLLOW and O_DIRECT, which are taken from Node.

import { constants } from "node:fs";

/** Open for reading only. */
export const O_RDONLY: number = constants.O_RDONLY;
/** Open for writing only. */
export const O_WRONLY: number = constants.O_WRONLY;
/** Open for both. */
export const O_RDWR: number = constants.O_RDWR;
/** Create when absent. */
export const O_CREAT: number = constants.O_CREAT;
/** With O_CREAT: fail when present. */
export const O_EXCL: number = constants.O_EXCL;
/** Cut to nothing. */
export const O_TRUNC: number = constants.O_TRUNC;
/** Do not wait (fifos), do not become the controlling terminal's victim. */
export const O_NONBLOCK: number = constants.O_NONBLOCK;
/** Fail unless a directory. */
export const O_DIRECTORY: number = constants.O_DIRECTORY;
/** Fail on a final symlink (or, with O_PATH, open the link itself). */
export const O_NOFOLLOW: number = constants.O_NOFOLLOW;
/** In a directory: a file without a name. */
export const O_TMPFILE: number = 0o20000000 | constants.O_DIRECTORY;
/** A handle on a place, without opening what is there. */
export const O_PATH = 0o10000000;

/** openat2: fail on crossing a mount. */
export const RESOLVE_NO_XDEV = 0x01;
/** openat2: fail on /proc's magic links. */
export const RESOLVE_NO_MAGICLINKS = 0x02;
/** openat2: fail on any symlink. */
export const RESOLVE_NO_SYMLINKS = 0x04;
/** openat2: fail on leaving the directory. */
export const RESOLVE_BENEATH = 0x08;
/** openat2: treat the directory as "/", as chroot would. */
export const RESOLVE_IN_ROOT = 0x10;

/** In place of a descriptor: the working directory. */
export const AT_FDCWD = -100;
/** Act on a symlink itself. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** unlinkAt: remove a directory. */
export const AT_REMOVEDIR = 0x200;
/** linkAt: follow a final symlink. */
export const AT_SYMLINK_FOLLOW = 0x400;
/** With an empty path: act on the descriptor. */
export const AT_EMPTY_PATH = 0x1000;

/** renameAt: fail when the target exists. */
export const RENAME_NOREPLACE = 1;
/** renameAt: swap the two. */
export const RENAME_EXCHANGE = 2;

/** Mask of the file type in a mode. */
export const S_IFMT = 0o170000;
/** Socket. */
export const S_IFSOCK = 0o140000;
/** Symbolic link. */
export const S_IFLNK = 0o120000;
/** Regular file. */
export const S_IFREG = 0o100000;
/** Block device. */
export const S_IFBLK = 0o060000;
/** Directory. */
export const S_IFDIR = 0o040000;
/** Character device. */
export const S_IFCHR = 0o020000;
/** Fifo. */
export const S_IFIFO = 0o010000;
