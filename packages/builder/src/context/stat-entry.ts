// A statx result as a tree entry, and the reading of regular files below a directory descriptor; shared by the trees of this folder.

import {
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "@teu/files/constants";
import { openat2, OwnedFd } from "@teu/files/open";
import type { Stat } from "@teu/files/stat";
import { getXattr, listXattrs } from "@teu/files/xattrs";
import type { EntryKind, TreeEntry } from "./file-tree.ts";

const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "char"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/** Owner and group are replaced where given. */
export function entryFromStat(stat: Stat, owner?: { readonly uid: number; readonly gid: number }): TreeEntry {
  const kind = KINDS.get(stat.mode & S_IFMT) ?? "socket";
  return {
    kind,
    mode: stat.mode & 0o7777,
    uid: owner?.uid ?? stat.uid,
    gid: owner?.gid ?? stat.gid,
    size: kind === "file" ? stat.size : 0,
    mtimeNs: stat.mtimeNs,
    major: stat.rdevMajor,
    minor: stat.rdevMinor,
  };
}

/** Opens a regular file by a canonical path; a symlink anywhere in it is refused, so that a swapped file cannot lead outside. */
export function openBeneath(rootFd: number, path: string): OwnedFd {
  // O_NONBLOCK: should a fifo be there by now, opening must not wait for a writer.
  return new OwnedFd(
    openat2(rootFd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
  );
}

/** Attributes that are content: not overlayfs's own, not labels of this host. */
export function contentXattrs(rootFd: number, path: string): (readonly [string, Uint8Array])[] {
  const out: (readonly [string, Uint8Array])[] = [];
  for (const name of listXattrs(rootFd, path).sort()) {
    if (
      name.startsWith("trusted.overlay.") ||
      name.startsWith("user.overlay.") ||
      name === "security.selinux" ||
      name.startsWith("system.")
    )
      continue;
    const value = getXattr(rootFd, path, name);
    if (value !== null) out.push([name, value]);
  }
  return out;
}

/** Sorts names by their bytes, as tar and digests want them. */
export function sortNames(names: string[]): string[] {
  return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
