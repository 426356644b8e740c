// Everything that can be seen of a directory tree, as plain values: for comparing what different tools unpacked.

import { createHash } from "node:crypto";
import { readSync } from "node:fs";

import { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFLNK, S_IFREG } from "@teu/files/constants";
import { readDir, readlinkAt } from "@teu/files/entries";
import { openDirectory, openat2, OwnedFd } from "@teu/files/open";
import { isType, statAt } from "@teu/files/stat";
import { getXattr, listXattrs } from "@teu/files/xattrs";

/** What to leave out of a comparison. */
export interface TreeOptions {
  /** Cut times to whole seconds. */
  readonly seconds?: boolean;
  /** Leave out directory times. */
  readonly noDirectoryTimes?: boolean;
}

/** One line per entry, sorted by path: type, mode, owner, time, size and hash, target, device, attributes, hard links. */
export function describeTree(root: string, options: TreeOptions = {}): string[] {
  const lines: string[] = [];
  const inodes = new Map<bigint, string>();
  const walk = (fd: number, path: string): void => {
    for (const { name } of readDir(fd).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const full = `${path}/${name}`;
      lines.push(describe(fd, name, full, { options, inodes }));
      if (!isType(statAt(fd, name).mode, S_IFDIR)) continue;
      using child = new OwnedFd(openat2(fd, name, O_RDONLY | O_NOFOLLOW));
      walk(child.fd, full);
    }
  };
  using directory = openDirectory(root);
  lines.push(describe(directory.fd, ".", "/", { options, inodes }));
  walk(directory.fd, "");
  return lines;
}

interface Context {
  readonly options: TreeOptions;
  readonly inodes: Map<bigint, string>;
}

function describe(fd: number, name: string, path: string, { options, inodes }: Context): string {
  const stat = statAt(fd, name);
  const directory = isType(stat.mode, S_IFDIR);
  const time = options.seconds === true ? stat.mtimeNs / 1_000_000_000n : stat.mtimeNs;
  const parts = [path, stat.mode.toString(8), `${stat.uid}:${stat.gid}`];
  if (!directory || options.noDirectoryTimes !== true) parts.push(`t=${time}`);
  if (isType(stat.mode, S_IFREG)) parts.push(`s=${stat.size}`, hash(fd, name));
  else if (isType(stat.mode, S_IFLNK)) parts.push(`-> ${readlinkAt(fd, name)}`);
  else if (!directory) parts.push(`dev=${stat.rdevMajor},${stat.rdevMinor}`);
  for (const key of listXattrs(fd, name).toSorted()) {
    parts.push(`${key}=${Buffer.from(getXattr(fd, name, key) ?? []).toString("hex")}`);
  }
  if (!directory && stat.nlink > 1) {
    const first = inodes.get(stat.ino);
    if (first === undefined) inodes.set(stat.ino, path);
    else parts.push(`link=${first}`);
  }
  return parts.join(" ");
}

function hash(fd: number, name: string): string {
  using file = new OwnedFd(openat2(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  const hasher = createHash("sha256");
  const buffer = Buffer.allocUnsafe(1 << 18);
  for (;;) {
    const length = readSync(file.fd, buffer);
    if (length === 0) return hasher.digest("hex").slice(0, 16);
    hasher.update(buffer.subarray(0, length));
  }
}
