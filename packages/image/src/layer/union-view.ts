// Reads an image's file system from its unpacked layers, without mounting: what a container would see, safe against
// whatever the layers hold. For looking up users, reading single files, copying between build stages.

import { readSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "@teu/files/constants";
import { readDir, readlinkAt } from "@teu/files/entries";
import { OwnedFd, openat2 } from "@teu/files/open";
import { fstat, isType, lookupAt, type Stat } from "@teu/files/stat";
import { getXattr, listXattrs } from "@teu/files/xattrs";

import {
  type Found,
  isWhiteout,
  type Node,
  type OverlayNames,
  type Resolved,
  TRUSTED,
  UnionTree,
} from "../internal/union-tree.ts";

/** What a path leads to. */
export interface UnionEntry {
  /** Where it really is: "/usr/bin/sh", symlinks resolved; "/" for the root. */
  readonly path: string;
  readonly stat: Stat;
  /** Which directory given to `open` it comes from. */
  readonly layer: number;
}

/** How a path is looked up. */
export interface LookupOptions {
  /** Whether a final symlink is followed; default true. */
  readonly follow?: boolean;
}

/** A merged view of layer directories. Synchronous; keeps directories open until disposed. */
export class UnionView implements Disposable {
  readonly #tree: UnionTree;

  private constructor(tree: UnionTree) {
    this.#tree = tree;
  }

  /** Opens directories in overlay format, topmost first. @throws TeuError `not-found` when one is missing. */
  static open(directories: readonly string[], names: OverlayNames = TRUSTED): UnionView {
    return new UnionView(new UnionTree(directories, names));
  }

  /** The entry at `path` ("/" is the root of the view), or null. @throws TeuError `invalid` for symlink loops. */
  lookup(path: string, options: LookupOptions = {}): UnionEntry | null {
    this.#tree.trim();
    const resolved = this.#resolve(path, options.follow !== false);
    if (resolved === null || resolved.found === null) return null;
    const { dir, name, found } = resolved;
    return { path: name === "" ? "/" : `${dir.path}/${name}`, stat: found.stat, layer: found.part.layer };
  }

  /**
   * The content of a regular file, symlinks followed.
   * @throws TeuError `not-found`, `invalid` when it is no regular file, `exhausted` when larger than `limit` bytes.
   */
  readFile(path: string, limit: number): Uint8Array {
    using file = this.openFile(path);
    const { size } = file;
    if (size > limit) {
      const message = `${size} bytes, limit is ${limit}`;
      throw new TeuError({ code: "exhausted", op: "read file", subject: path, message });
    }
    const buffer = Buffer.allocUnsafeSlow(size);
    let at = 0;
    while (at < size) {
      const length = readSync(file.fd, buffer, at, size - at, at);
      if (length === 0) break;
      at += length;
    }
    return buffer.subarray(0, at);
  }

  /** Opens a regular file for reading, symlinks followed. The caller disposes. */
  openFile(path: string): OpenedFile {
    this.#tree.trim();
    const resolved = this.#resolve(path, true);
    if (resolved === null || resolved.found === null) throw notFound("read file", path);
    const { name, found } = resolved;
    if (!isType(found.stat.mode, S_IFREG)) throw noRegularFile(path);
    // A running container may put a device in its place meanwhile, and opening one can be an act. So a handle first, of which
    // the kernel does not let go, then a look at what it is, and only then the opening, through the handle.
    const inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    using handle = new OwnedFd(openat2(found.part.fd, name, O_PATH | O_NOFOLLOW, 0, inside));
    const stat = fstat(handle.fd);
    if (!isType(stat.mode, S_IFREG)) throw noRegularFile(path);
    return new OpenedFile(openat2(AT_FDCWD, `/proc/self/fd/${handle.fd}`, O_RDONLY, 0, 0), stat);
  }

  /** Names and attributes in a directory, sorted by name. @throws TeuError `not-found`, `invalid` when it is none. */
  readDir(path: string): { readonly name: string; readonly stat: Stat }[] {
    this.#tree.trim();
    const dir = this.#directory(path);
    const seen = new Map<string, Stat | null>();
    for (const part of dir.parts) {
      for (const { name } of readDir(part.fd)) {
        if (seen.has(name)) continue;
        const stat = lookupAt(part.fd, name);
        seen.set(name, stat === null || isWhiteout(stat) ? null : stat);
      }
    }
    const entries = [...seen].flatMap(([name, stat]) => (stat === null ? [] : [{ name, stat }]));
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The target of a symlink. @throws TeuError `not-found`, `invalid` when it is none. */
  readlink(path: string): string {
    this.#tree.trim();
    const found = this.#entry("read symlink", path);
    if (!isType(found.found.stat.mode, S_IFLNK)) {
      throw new TeuError({ code: "invalid", op: "read symlink", subject: path, message: "it is not a symlink" });
    }
    return readlinkAt(found.found.part.fd, found.name);
  }

  /** Extended attributes of an entry itself, overlayfs' own left out. @throws TeuError `not-found`. */
  xattrs(path: string): Map<string, Uint8Array> {
    this.#tree.trim();
    const { name, found } = this.#entry("read attributes", path);
    const at = name === "" ? "." : name;
    const values = new Map<string, Uint8Array>();
    for (const key of listXattrs(found.part.fd, at)) {
      if (key.startsWith(this.#tree.names.prefix)) continue;
      const value = getXattr(found.part.fd, at, key);
      if (value !== null) values.set(key, value);
    }
    return values;
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
  }

  #entry(op: string, path: string): { name: string; found: Found } {
    const resolved = this.#resolve(path, false);
    if (resolved === null || resolved.found === null) throw notFound(op, path);
    return { name: resolved.name, found: resolved.found };
  }

  #directory(path: string): Node {
    const resolved = this.#resolve(path, true);
    if (resolved === null || resolved.found === null) throw notFound("read directory", path);
    const { dir, name, found } = resolved;
    if (name === "") return this.#tree.root;
    if (!isType(found.stat.mode, S_IFDIR)) {
      throw new TeuError({ code: "invalid", op: "read directory", subject: path, message: "it is not a directory" });
    }
    return this.#tree.child(dir, name, found.part);
  }

  /** Null when something in front of the last component is missing. */
  #resolve(path: string, follow: boolean): Resolved | null {
    const resolved = this.#tree.resolve(path, follow);
    return resolved.missing.length > 0 ? null : resolved;
  }
}

/** A regular file opened for reading; closed when disposed. */
export class OpenedFile extends OwnedFd {
  readonly stat: Stat;

  constructor(fd: number, stat: Stat) {
    super(fd);
    this.stat = stat;
  }

  /** Bytes. */
  get size(): number {
    return this.stat.size;
  }
}

function noRegularFile(path: string): TeuError {
  return new TeuError({ code: "invalid", op: "read file", subject: path, message: "it is not a regular file" });
}

function notFound(op: string, path: string): TeuError {
  return new TeuError({ code: "not-found", op, subject: path, message: "no such file or directory in the image" });
}
