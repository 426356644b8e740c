// Makes a layer's tar from an overlay upper directory: no scan of the lower tree, the upper directory is the difference.
// Names sorted, directories before their content, whiteouts before their siblings as image-spec wishes.
// Same tree, same bytes. Sockets have no place in a tar and are left out. Needs root, or directories that were filled without.

import { readSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import {
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "@teu/files/constants";
import { readDir, readlinkAt } from "@teu/files/entries";
import { openDirectory, openat2, OwnedFd } from "@teu/files/open";
import { readBuffer } from "@teu/files/read-buffer";
import { isType, type Stat, statAt } from "@teu/files/stat";
import { getXattr, listXattrs } from "@teu/files/xattrs";

import { isWhiteout, openChild, type OverlayNames, TRUSTED, USER } from "../internal/union-tree.ts";
import { NO_XATTRS, type TarEntry, type TarType } from "../tar/entry.ts";
import { tarChunks } from "../tar/tar-chunks.ts";
import { encodeTarHeader, tarEntry, tarPadding } from "../tar/writer.ts";
import { isTooLong, LONGEST_PATH, OPAQUE_MARK, WHITEOUT_PREFIX } from "./entry-place.ts";
import { ONE_COMPONENT } from "./layer-tree.ts";
import { decodeDevice, decodeOwner, DEVICE_XATTR, type Owner, OWNER_XATTR } from "./rootless.ts";
import { UnionView } from "./union-view.ts";

/** What to make a layer of. */
export interface DiffOptions {
  /** The upper directory, not in use by a mount that still writes. */
  readonly upper: string;
  /** Directories below it, topmost first: tell whether an opaque directory hides anything. */
  readonly lower: readonly string[];
  /** Later times become this one: SOURCE_DATE_EPOCH, in nanoseconds. */
  readonly latestNs?: bigint;
  /** The directories are as `applyLayer` fills them without root, or mounted with `userxattr`. Default false. */
  readonly rootless?: boolean;
}

const READ_BYTES = 1 << 20;

const TYPES: ReadonlyMap<number, TarType> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "character"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/**
 * The tar of a layer, in chunks that belong to the reader.
 * @throws TeuError `unsupported` for redirect_dir and metacopy, `conflict` when a file changes while it is read.
 */
export async function* diffOverlay(scope: Scope, options: DiffOptions): AsyncIterable<Uint8Array> {
  using view = UnionView.open(options.lower, options.rootless === true ? USER : TRUSTED);
  using upper = openDirectory(options.upper);
  const walker = new DiffWalker(scope, options, view);
  yield* tarChunks(scope, "make layer", walker.tree(upper.fd));
}

/** An entry of a directory. */
interface Item {
  readonly name: string;
  readonly stat: Stat;
}

/** A directory that is being read. */
interface Level {
  readonly fd: number;
  /** Null where the descriptor is the caller's. */
  readonly owner: OwnedFd | null;
  /** "" or "a/b/". */
  readonly path: string;
  /** Still to be written, the next at the end. */
  readonly left: Item[];
}

interface Xattrs {
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly overlay: ReadonlyMap<string, Uint8Array>;
  readonly kept: Partial<TarEntry>;
}

/** Without root: who owns what has no attribute. */
const ROOT: Owner = { uid: 0, gid: 0 };

/** Takes owner and device out of the attributes of a file of a user without root. */
function keptIn(xattrs: Map<string, Uint8Array>): Partial<TarEntry> {
  const owner = decodeOwner(xattrs.get(OWNER_XATTR) ?? new Uint8Array(0)) ?? ROOT;
  const device = decodeDevice(xattrs.get(DEVICE_XATTR) ?? new Uint8Array(0));
  xattrs.delete(OWNER_XATTR);
  xattrs.delete(DEVICE_XATTR);
  if (device === null) return owner;
  const { major, minor, uid, gid, mode } = device;
  const type = isType(mode, S_IFCHR) ? "character" : "block";
  return { type, size: 0, devMajor: major, devMinor: minor, uid, gid };
}

class DiffWalker {
  readonly #scope: Scope;
  readonly #latestNs: bigint | undefined;
  readonly #lower: UnionView;
  readonly #overlay: OverlayNames;
  readonly #rootless: boolean;
  /** First name of each file with several. */
  readonly #names = new Map<string, string>();

  constructor(scope: Scope, options: DiffOptions, lower: UnionView) {
    this.#scope = scope;
    this.#latestNs = options.latestNs;
    this.#lower = lower;
    this.#rootless = options.rootless === true;
    this.#overlay = this.#rootless ? USER : TRUSTED;
  }

  /** Everything below the directory `root`, depth first; a list of levels and no recursion: a container chose the depth. */
  *tree(root: number): Generator<Uint8Array> {
    const levels: Level[] = [];
    try {
      const top: Level = { fd: root, owner: null, path: "", left: [] };
      levels.push(top);
      yield* this.#list(top);
      for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
        const next = level.left.pop();
        if (next === undefined) {
          levels.pop();
          level.owner?.[Symbol.dispose]();
        } else if (isType(next.stat.mode, S_IFDIR)) {
          yield* this.#subdirectory(levels, level, next);
        } else {
          yield* this.#leaf(level.fd, next.name, level.path, next.stat);
        }
      }
    } finally {
      for (const { owner } of levels) owner?.[Symbol.dispose]();
    }
  }

  /** Writes a level's whiteouts, and notes what is to follow, last first. */
  *#list({ fd, path, left }: Level): Generator<Uint8Array> {
    const entries = readDir(fd)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name }) => ({ name, stat: statAt(fd, name) }));
    for (const { name, stat } of entries) {
      if (isWhiteout(stat)) yield encodeTarHeader(tarEntry({ type: "file", name: path + WHITEOUT_PREFIX + name }));
    }
    for (const { name, stat } of entries.toReversed()) {
      if (isWhiteout(stat)) continue;
      // Reading it back would delete something.
      if (name.startsWith(WHITEOUT_PREFIX))
        throw unsupported(path + name, 'file names with ".wh." cannot be in a layer');
      if (isType(stat.mode, S_IFSOCK)) this.#scope.log.debug("socket left out of layer", { path: path + name });
      else left.push({ name, stat });
    }
  }

  *#subdirectory(levels: Level[], parent: Level, { name, stat }: Item): Generator<Uint8Array> {
    const full = `${parent.path}${name}`;
    // No layer with it could be unpacked.
    if (isTooLong(full)) throw unsupported(full.slice(0, 100), `the path is longer than ${LONGEST_PATH} bytes`);
    const owner = new OwnedFd(openChild(parent.fd, name));
    const level: Level = { fd: owner.fd, owner, path: `${full}/`, left: [] };
    // From here on it is closed with the others.
    levels.push(level);
    const { xattrs, overlay, kept } = this.#xattrs(owner.fd, "", full);
    yield encodeTarHeader(this.#entry(full, stat, { xattrs, ...kept }));
    const opaque = overlay.get(this.#overlay.opaque)?.[0];
    // "x": whiteouts as attributes (Linux 6.7, nested overlays).
    if (opaque !== undefined && opaque !== 0x79) throw unsupported(full, "whiteouts kept as attributes are not read");
    // The kernel marks every new directory opaque; only one that hides something needs to say so.
    if (opaque !== undefined && this.#hides(full)) {
      yield encodeTarHeader(tarEntry({ type: "file", name: `${full}/${OPAQUE_MARK}` }));
    }
    yield* this.#list(level);
  }

  #hides(path: string): boolean {
    const below = this.#lower.lookup(path, { follow: false });
    return below !== null && isType(below.stat.mode, S_IFDIR);
  }

  *#leaf(fd: number, name: string, path: string, stat: Stat): Generator<Uint8Array> {
    const full = `${path}${name}`;
    const first = stat.nlink > 1 ? this.#firstName(full, stat) : null;
    if (first !== null) {
      const { kept } = this.#rootless ? this.#xattrs(fd, name, full) : { kept: {} };
      yield encodeTarHeader(this.#entry(full, stat, { ...kept, type: "hardlink", linkName: first, size: 0 }));
      return;
    }
    const { xattrs, overlay, kept } = this.#xattrs(fd, name, full);
    if (overlay.has(this.#overlay.metacopy)) {
      throw unsupported(
        full,
        "its content was left in a lower layer (metacopy)",
        "mount the overlay with metacopy=off",
      );
    }
    if (isType(stat.mode, S_IFLNK)) {
      yield encodeTarHeader(this.#entry(full, stat, { xattrs, linkName: readlinkAt(fd, name), size: 0, ...kept }));
    } else if (isType(stat.mode, S_IFREG)) {
      const entry = this.#entry(full, stat, { xattrs, ...kept });
      yield encodeTarHeader(entry);
      if (entry.type === "file") yield* content(fd, name, full, stat.size);
    } else {
      const device = { devMajor: stat.rdevMajor, devMinor: stat.rdevMinor };
      yield encodeTarHeader(this.#entry(full, stat, { xattrs, ...device, ...kept }));
    }
  }

  #firstName(full: string, stat: Stat): string | null {
    const key = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = this.#names.get(key);
    if (first === undefined) this.#names.set(key, full);
    return first ?? null;
  }

  #entry(name: string, stat: Stat, more: Partial<TarEntry>): TarEntry {
    return entryOf(name, stat, this.#latestNs, more);
  }

  /** Attributes that belong to the file, overlayfs' own, and what others of the tar are kept in attributes without root. */
  #xattrs(fd: number, name: string, full: string): Xattrs {
    const keys = listXattrs(fd, name);
    if (keys.length === 0) return { xattrs: NO_XATTRS, overlay: new Map(), kept: this.#rootless ? ROOT : {} };
    const xattrs = new Map<string, Uint8Array>();
    const overlay = new Map<string, Uint8Array>();
    for (const key of keys) {
      const value = getXattr(fd, name, key);
      if (value !== null) (key.startsWith(this.#overlay.prefix) ? overlay : xattrs).set(key, value);
    }
    if (overlay.has(this.#overlay.redirect)) {
      throw unsupported(full, "it was renamed with overlayfs' redirect_dir", "mount the overlay with redirect_dir=off");
    }
    return { xattrs, overlay, kept: this.#rootless ? keptIn(xattrs) : {} };
  }
}

/** A file's entry; times later than `latestNs` become that. */
export function entryOf(name: string, stat: Stat, latestNs: bigint | undefined, more: Partial<TarEntry>): TarEntry {
  const type = TYPES.get(stat.mode & S_IFMT);
  if (type === undefined) throw unsupported(name, "it is of no known type");
  return tarEntry({
    type,
    name,
    size: type === "file" ? stat.size : 0,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtimeNs: latestNs !== undefined && stat.mtimeNs > latestNs ? latestNs : stat.mtimeNs,
    ...more,
  });
}

/** The bytes of a file in a tar, with its padding. @throws TeuError `conflict` when it becomes shorter meanwhile. */
export function* content(dirfd: number, name: string, full: string, size: number): Generator<Uint8Array> {
  if (size === 0) return;
  using file = new OwnedFd(openat2(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, ONE_COMPONENT));
  for (let at = 0; at < size;) {
    const buffer = readBuffer(Math.min(READ_BYTES, size - at));
    const length = readSync(file.fd, buffer, 0, buffer.length, at);
    if (length === 0) {
      const message = `it became shorter than ${size} bytes while it was read`;
      throw new TeuError({ code: "conflict", op: "make layer", subject: full, message });
    }
    yield buffer.subarray(0, length);
    at += length;
  }
  yield tarPadding(size);
}

/** The error for what no layer can hold. */
export function unsupported(subject: string, message: string, hint?: string): TeuError {
  return new TeuError({
    code: "unsupported",
    op: "make layer",
    subject,
    message,
    ...(hint === undefined ? {} : { hint }),
  });
}
