// A union view as one tar: what a container sees, with hard links, attributes and nanoseconds; whiteouts are gone, as what they hide.
// Names sorted, directories before their content: the same tree gives the same bytes. Sockets have no place in a tar and are left out.
// The tree may be a running container's: a file that goes while it is read is left out, one that shrinks ends in zeros.

import { readSync } from "node:fs";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "@teu/files/constants";
import { isType, type Stat } from "@teu/files/stat";

import type { TarEntry, TarType } from "../tar/entry.ts";
import { tarChunks } from "../tar/tar-chunks.ts";
import { encodeTarHeader, tarEntry, tarPadding } from "../tar/writer.ts";
import type { UnionView } from "./union-view.ts";

const READ_BYTES = 1 << 20;

const TYPES: ReadonlyMap<number, TarType> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

interface Item {
  /** "/usr/bin/sh". */
  readonly path: string;
  readonly stat: Stat;
}

/** The tar of everything in a view, in chunks that belong to the reader. */
export async function* unionTar(scope: Scope, view: UnionView): AsyncIterable<Uint8Array> {
  yield* tarChunks(scope, "write tar", pieces(scope, view));
}

function* pieces(scope: Scope, view: UnionView): Generator<Uint8Array> {
  const names = new Map<string, string>();
  const left = list(view, "/");
  // A list and no recursion: a container chose the depth.
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    try {
      yield* entry(view, item, names);
      if (isType(item.stat.mode, S_IFDIR)) left.push(...list(view, item.path));
    } catch (error) {
      if (!isTeuError(error, "not-found")) throw error;
      scope.log.debug("file went while it was read", { path: item.path });
    }
  }
}

/** Last first. */
function list(view: UnionView, directory: string): Item[] {
  const prefix = directory === "/" ? "/" : `${directory}/`;
  return view
    .readDir(directory)
    .map(({ name, stat }) => ({ path: prefix + name, stat }))
    .toReversed();
}

function* entry(view: UnionView, { path, stat }: Item, names: Map<string, string>): Generator<Uint8Array> {
  const type = TYPES.get(stat.mode & S_IFMT);
  if (type === undefined) return;
  const name = path.slice(1);
  if (type !== "directory" && stat.nlink > 1) {
    const key = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = names.get(key);
    if (first !== undefined) {
      yield encodeTarHeader(header(name, stat, { type: "hardlink", linkName: first }));
      return;
    }
    names.set(key, name);
  }
  const xattrs = view.xattrs(path);
  if (type === "file") yield* file(view, path, name, xattrs);
  else if (type === "symlink")
    yield encodeTarHeader(header(name, stat, { type, xattrs, linkName: view.readlink(path) }));
  else yield encodeTarHeader(header(name, stat, { type, xattrs, devMajor: stat.rdevMajor, devMinor: stat.rdevMinor }));
}

function* file(
  view: UnionView,
  path: string,
  name: string,
  xattrs: ReadonlyMap<string, Uint8Array>,
): Generator<Uint8Array> {
  using opened = view.openFile(path);
  const { stat, size } = opened;
  yield encodeTarHeader(header(name, stat, { type: "file", xattrs, size }));
  for (let at = 0; at < size;) {
    const buffer = Buffer.alloc(Math.min(READ_BYTES, size - at));
    const length = readSync(opened.fd, buffer, 0, buffer.length, at);
    // Shorter than it was: the header says otherwise already.
    const taken = length === 0 ? buffer.length : length;
    yield buffer.subarray(0, taken);
    at += taken;
  }
  yield tarPadding(size);
}

function header(name: string, stat: Stat, more: Pick<TarEntry, "type"> & Partial<TarEntry>): TarEntry {
  const { uid, gid, mtimeNs } = stat;
  return tarEntry({ name, mode: stat.mode & 0o7777, uid, gid, mtimeNs, ...more });
}
