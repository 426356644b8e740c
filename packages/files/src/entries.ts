// Making, naming, listing and removing directory entries, relative to directory descriptors.
// `name` is usually one component: walking several here would follow symlinks of the tree.

import { attempt } from "./addon.ts";

/** An entry as getdents reports it. */
export interface DirectoryEntry {
  readonly name: string;
  /** DT_*: 4 directory, 8 regular, 10 symlink, 2 character device ...; 0 unknown. */
  readonly type: number;
}

/** DT_DIR. */
export const DT_DIR = 4;
/** DT_UNKNOWN: the file system does not say. */
export const DT_UNKNOWN = 0;

/** mkdirat(2); the umask applies. */
export function mkdirAt(dirfd: number, name: string, mode: number = 0o777): void {
  attempt("make directory", name, (addon) => addon.mkdirat(dirfd, name, mode));
}

/** mknodat(2); `mode` with its S_IF* type, the umask applies. */
export function mknodAt(dirfd: number, name: string, mode: number, major: number, minor: number): void {
  attempt("make node", name, (addon) => addon.mknodat(dirfd, name, mode, major, minor));
}

/** symlinkat(2). */
export function symlinkAt(target: string, dirfd: number, name: string): void {
  attempt("make symlink", name, (addon) => addon.symlinkat(target, dirfd, name));
}

/** linkat(2); without AT_SYMLINK_FOLLOW a symlink itself is linked. */
export function linkAt(fromFd: number, from: string, toFd: number, to: string, flags: number = 0): void {
  attempt("hard link", to, (addon) => addon.linkat(fromFd, from, toFd, to, flags));
}

/** unlinkat(2); AT_REMOVEDIR for directories. */
export function unlinkAt(dirfd: number, name: string, flags: number = 0): void {
  attempt("remove", name, (addon) => addon.unlinkat(dirfd, name, flags));
}

/** renameat2(2). */
export function renameAt(fromFd: number, from: string, toFd: number, to: string, flags: number = 0): void {
  attempt("rename", from, (addon) => addon.renameat2(fromFd, from, toFd, to, flags));
}

/** readlinkat(2); an empty name reads the link that `dirfd` itself is (O_PATH | O_NOFOLLOW). */
export function readlinkAt(dirfd: number, name: string): string {
  return attempt("read symlink", name, (addon) => addon.readlinkat(dirfd, name));
}

/** Everything in the directory but "." and "..", in the file system's order. */
export function readDir(fd: number): DirectoryEntry[] {
  const { names, types } = attempt("read directory", `fd ${fd}`, (addon) => addon.readDirectory(fd));
  return names.map((name, index) => ({ name, type: types[index] ?? DT_UNKNOWN }));
}
