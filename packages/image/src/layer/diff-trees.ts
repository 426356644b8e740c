// Makes a layer's tar of the difference of any two directory trees: what is new or changed in the second, whiteouts for what it lacks
// of the first. Attributes and contents are compared, not times alone. Same trees, same bytes; names sorted, whiteouts first.

import { readSync } from "node:fs";

import type { Scope } from "@teu/base/scope";
import { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFDIR, S_IFLNK, S_IFREG, S_IFSOCK } from "@teu/files/constants";
import { readDir, readlinkAt } from "@teu/files/entries";
import { openDirectory, openat2, OwnedFd } from "@teu/files/open";
import { readBuffer } from "@teu/files/read-buffer";
import { isType, type Stat, statAt } from "@teu/files/stat";
import { getXattr, listXattrs } from "@teu/files/xattrs";

import { openChild } from "../internal/union-tree.ts";
import { tarChunks } from "../tar/tar-chunks.ts";
import { encodeTarHeader, tarEntry } from "../tar/writer.ts";
import { content, entryOf, unsupported } from "./diff.ts";
import { isTooLong, LONGEST_PATH, WHITEOUT_PREFIX } from "./entry-place.ts";
import { ONE_COMPONENT } from "./layer-tree.ts";

/** Two trees as they are to be seen, not in overlay format. Nobody writes to them meanwhile. */
export interface TreeDiffOptions {
  /** What the layer shall lie on. */
  readonly from: string;
  /** What shall be seen with it. */
  readonly to: string;
  /** Later times become this one: SOURCE_DATE_EPOCH, in nanoseconds. */
  readonly latestNs?: bigint;
}

const READ_BYTES = 1 << 20;

/**
 * The tar of a layer, in chunks that belong to the reader.
 * @throws TeuError `unsupported` for what no layer can hold, `conflict` when a file changes while it is read.
 */
export async function* diffTrees(scope: Scope, options: TreeDiffOptions): AsyncIterable<Uint8Array> {
  using from = openDirectory(options.from);
  using to = openDirectory(options.to);
  yield* tarChunks(scope, "make layer", new TreeDiff(options.latestNs).all(from.fd, to.fd));
}

/** An entry in both trees, or in the second alone. */
interface Pair {
  readonly name: string;
  readonly stat: Stat;
  readonly old: Stat | null;
}

/** A directory that is being compared. */
interface Level extends Disposable {
  /** Null when the first tree has no such directory. */
  readonly from: number | null;
  readonly to: number;
  /** "" or "a/b/". */
  readonly path: string;
  readonly left: Pair[];
}

class TreeDiff {
  readonly #latestNs: bigint | undefined;
  /** Of files with several names in the second tree: the first one, and which file of the first tree it still is. */
  readonly #links = new Map<string, { readonly name: string; readonly old: string | null }>();
  /** Which file of the second tree one of the first is now. */
  readonly #kept = new Map<string, string>();

  constructor(latestNs: bigint | undefined) {
    this.#latestNs = latestNs;
  }

  *all(from: number, to: number): Generator<Uint8Array> {
    const levels: Level[] = [];
    try {
      if (changed(from, ".", to, ".")) yield this.#header(to, ".", "./", statAt(to, "."));
      const top = { from, to, path: "", left: [], [Symbol.dispose]: () => {} };
      levels.push(top);
      yield* list(top);
      for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
        const next = level.left.pop();
        if (next === undefined) levels.pop()?.[Symbol.dispose]();
        else if (isType(next.stat.mode, S_IFDIR)) yield* this.#directory(levels, level, next);
        else yield* this.#leaf(level, next);
      }
    } finally {
      for (const level of levels) level[Symbol.dispose]();
    }
  }

  *#directory(levels: Level[], { from, to, path }: Level, { name, stat, old }: Pair): Generator<Uint8Array> {
    const full = `${path}${name}`;
    if (isTooLong(full)) throw unsupported(full.slice(0, 100), `the path is longer than ${LONGEST_PATH} bytes`);
    const below = from !== null && old !== null && isType(old.mode, S_IFDIR) ? from : null;
    if (below === null || changed(below, name, to, name)) yield this.#header(to, name, full, stat);
    const level = openLevel(below, to, name, `${full}/`);
    levels.push(level);
    yield* list(level);
  }

  *#leaf({ from, to, path }: Level, { name, stat, old }: Pair): Generator<Uint8Array> {
    const full = `${path}${name}`;
    const same = from !== null && old !== null && !changed(from, name, to, name) && this.#keeps(old, stat);
    const known = stat.nlink > 1 ? this.#links.get(inode(stat)) : undefined;
    if (known === undefined) {
      if (stat.nlink > 1) this.#links.set(inode(stat), { name: full, old: same ? inode(old) : null });
      if (same) return;
      yield this.#header(to, name, full, stat);
      if (isType(stat.mode, S_IFREG)) yield* content(to, name, full, stat.size);
    } else if (!same || known.old !== inode(old)) {
      const link = { type: "hardlink", linkName: known.name, size: 0 } as const;
      yield encodeTarHeader(entryOf(full, stat, this.#latestNs, link));
    }
  }

  /** False when a file that had several names is several files now: one of them keeps the old one. */
  #keeps(old: Stat, stat: Stat): boolean {
    if (old.nlink === 1) return true;
    const kept = this.#kept.get(inode(old));
    if (kept === undefined) this.#kept.set(inode(old), inode(stat));
    return kept === undefined || kept === inode(stat);
  }

  #header(fd: number, name: string, full: string, stat: Stat): Uint8Array {
    const node = { devMajor: stat.rdevMajor, devMinor: stat.rdevMinor };
    const link = isType(stat.mode, S_IFLNK) ? { linkName: readlinkAt(fd, name) } : {};
    const device = isType(stat.mode, S_IFREG) || isType(stat.mode, S_IFDIR) || isType(stat.mode, S_IFLNK) ? {} : node;
    return encodeTarHeader(entryOf(full, stat, this.#latestNs, { ...device, ...link, xattrs: xattrsOf(fd, name) }));
  }
}

/** Writes a level's whiteouts, and notes what is to follow, last first. */
function* list({ from, to, path, left }: Level): Generator<Uint8Array> {
  const there = statsOf(to);
  const before = from === null ? new Map<string, Stat>() : statsOf(from);
  for (const name of [...before.keys()].toSorted()) {
    if (there.has(name)) continue;
    yield encodeTarHeader(tarEntry({ type: "file", name: path + WHITEOUT_PREFIX + name }));
  }
  for (const [name, stat] of [...there].toSorted(([a], [b]) => (a < b ? 1 : -1))) {
    // Reading it back would delete something.
    if (name.startsWith(WHITEOUT_PREFIX)) throw unsupported(path + name, 'file names with ".wh." cannot be in a layer');
    left.push({ name, stat, old: before.get(name) ?? null });
  }
}

/** What a directory holds; sockets have no place in a tar, and are as if absent. */
function statsOf(fd: number): Map<string, Stat> {
  const stats = readDir(fd).map(({ name }) => [name, statAt(fd, name)] as const);
  return new Map(stats.filter(([, stat]) => !isType(stat.mode, S_IFSOCK)));
}

function openLevel(from: number | null, to: number, name: string, path: string): Level {
  const second = new OwnedFd(openChild(to, name));
  let first: OwnedFd | null = null;
  try {
    first = from === null ? null : new OwnedFd(openChild(from, name));
  } catch (error) {
    second[Symbol.dispose]();
    throw error;
  }
  return {
    from: first?.fd ?? null,
    to: second.fd,
    path,
    left: [],
    [Symbol.dispose]: () => {
      first?.[Symbol.dispose]();
      second[Symbol.dispose]();
    },
  };
}

/** Whether two entries differ in anything that a layer holds; of directories not in what is in them. */
function changed(from: number, oldName: string, to: number, name: string): boolean {
  const [old, stat] = [statAt(from, oldName), statAt(to, name)];
  if (old.mode !== stat.mode || old.uid !== stat.uid || old.gid !== stat.gid || old.mtimeNs !== stat.mtimeNs)
    return true;
  if (old.rdevMajor !== stat.rdevMajor || old.rdevMinor !== stat.rdevMinor) return true;
  if (isType(stat.mode, S_IFLNK) && readlinkAt(from, oldName) !== readlinkAt(to, name)) return true;
  const [before, now] = [xattrsOf(from, oldName), xattrsOf(to, name)];
  if (before.size !== now.size) return true;
  for (const [key, value] of now) if (Buffer.compare(value, before.get(key) ?? Buffer.alloc(0)) !== 0) return true;
  if (!isType(stat.mode, S_IFREG)) return false;
  // One file by two names, as when the second tree was made with hard links.
  if (inode(old) === inode(stat)) return false;
  return old.size !== stat.size || differs(from, oldName, to, name);
}

function differs(from: number, oldName: string, to: number, name: string): boolean {
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  using first = new OwnedFd(openat2(from, oldName, flags, 0, ONE_COMPONENT));
  using second = new OwnedFd(openat2(to, name, flags, 0, ONE_COMPONENT));
  const [a, b] = [readBuffer(READ_BYTES), readBuffer(READ_BYTES)];
  for (let at = 0; ;) {
    const length = readSync(first.fd, a, 0, READ_BYTES, at);
    if (length !== readSync(second.fd, b, 0, READ_BYTES, at)) return true;
    if (length === 0) return false;
    if (a.compare(b, 0, length, 0, length) !== 0) return true;
    at += length;
  }
}

function xattrsOf(fd: number, name: string): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  for (const key of listXattrs(fd, name)) {
    const value = getXattr(fd, name, key);
    if (value !== null) values.set(key, value);
  }
  return values;
}

function inode(stat: Stat): string {
  return `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
}
