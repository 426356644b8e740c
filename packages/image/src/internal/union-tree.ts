// Several overlay-format directories seen as one tree, without mounting: lookup by component through directory
// descriptors, so that no symlink is ever followed by the kernel and nothing leads outside.
// Knows overlayfs' marks (whiteout = character device 0:0, opaque = overlay.opaque "y"); refuses redirects, which
// would move the search to a place named by file content.

import { TeuError } from "@teu/base/errors";
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
} from "@teu/files/constants";
import { readlinkAt } from "@teu/files/entries";
import { closeFd, descriptorLimit, openat2 } from "@teu/files/open";
import { isType, lookupAt, type Stat } from "@teu/files/stat";
import { getXattr } from "@teu/files/xattrs";

/** Names of overlayfs' own attributes. */
export interface OverlayNames {
  /** Begins all of them. */
  readonly prefix: string;
  /** Marks a directory that hides what is below. */
  readonly opaque: string;
  /** A directory that was moved. */
  readonly redirect: string;
  /** A file whose content was left in a lower layer. */
  readonly metacopy: string;
}

/** Those that overlayfs keeps by default, which needs root. */
export const TRUSTED: OverlayNames = overlayNames("trusted.overlay.");
/** Those with the mount option `userxattr`, for users without root. */
export const USER: OverlayNames = overlayNames("user.overlay.");

function overlayNames(prefix: string): OverlayNames {
  return { prefix, opaque: `${prefix}opaque`, redirect: `${prefix}redirect`, metacopy: `${prefix}metacopy` };
}

/** Symlinks followed in one resolution, as in the kernel. */
const MAX_SYMLINKS = 40;
/** Descriptors of directories kept open between resolutions: a merged directory has one for each layer that it is in. */
const KEPT = 1024;
/** Left to everything else, where a user may not have many. */
const OTHERS = 256;

/** The layer (0 = topmost) and descriptor of one directory that is part of a merged one. */
export interface Part {
  readonly layer: number;
  readonly fd: number;
}

/** A merged directory: its parts, topmost first. Valid until the tree's next `trim` or `forget`. */
export interface Node {
  /** Resolved path, "" for the root, "/usr/bin" below. */
  readonly path: string;
  readonly name: string;
  readonly parent: Node | null;
  parts: Part[];
  /** All that the topmost layer has in it, kept by whoever fills that layer (some of it may be gone again); null: not known. */
  made: Set<string> | null;
}

/** Told to whoever writes the topmost layer beside the tree. */
export interface Writer {
  /** Before a name of the topmost layer is looked at. */
  settle(directory: string, name: string): void;
  /** Before directories are closed. */
  drain(): void;
}

/** An entry found in a merged directory. */
export interface Found {
  readonly part: Part;
  readonly stat: Stat;
}

/** Where a path leads: the directory, the last component in it ("" for the root), and what is there. */
export interface Resolved {
  readonly dir: Node;
  readonly name: string;
  readonly found: Found | null;
  /** Components that are missing before the last one; when there are any, `dir` is where the first belongs. */
  readonly missing: readonly string[];
}

/** Whether an entry is overlayfs' whiteout. */
export function isWhiteout(stat: Stat): boolean {
  return isType(stat.mode, S_IFCHR) && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/** Opens one component as a directory; never a symlink, never another file system. */
export function openChild(fd: number, name: string): number {
  return openat2(
    fd,
    name,
    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
    0,
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
  );
}

/** The components of a path, without empty ones and ".". */
export function components(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The merged tree of `roots`, topmost first. Keeps directories open; closed when disposed. */
export class UnionTree implements Disposable {
  readonly root: Node;
  readonly names: OverlayNames;
  readonly #nodes = new Map<string, Node>();
  readonly #writer: Writer | null;
  /** Of all nodes but the root. */
  #descriptors = 0;

  constructor(roots: readonly string[], names: OverlayNames = TRUSTED, writer: Writer | null = null) {
    this.names = names;
    this.#writer = writer;
    this.root = { path: "", name: "", parent: null, parts: [], made: null };
    try {
      for (const [layer, path] of roots.entries()) {
        const fd = openat2(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0);
        this.root.parts.push({ layer, fd });
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The entry `name` of a directory, or null when absent or whited out. */
  find(dir: Node, name: string): Found | null {
    for (const part of dir.parts) {
      if (part.layer === 0 && dir.made?.has(name) === false) continue;
      if (part.layer === 0) this.#writer?.settle(dir.path, name);
      const stat = lookupAt(part.fd, name);
      if (stat !== null) return isWhiteout(stat) ? null : { part, stat };
    }
    return null;
  }

  /** The merged directory at a resolved path, when it is remembered. */
  known(path: string): Node | null {
    return this.#nodes.get(path) ?? null;
  }

  /** The merged directory below `dir` that has its topmost part in the part `top` of `dir`. */
  child(dir: Node, name: string, top: Part): Node {
    const path = `${dir.path}/${name}`;
    const known = this.#nodes.get(path);
    if (known !== undefined) return known;
    const node: Node = { path, name, parent: dir, parts: [], made: null };
    try {
      this.#collect(dir, top, node);
    } catch (error) {
      closeParts(node);
      throw error;
    }
    this.#nodes.set(path, node);
    this.#descriptors += node.parts.length;
    return node;
  }

  /** Puts the topmost layer's part of a directory above those that it has. */
  raise(node: Node, part: Part): void {
    node.parts.unshift(part);
    this.#descriptors++;
  }

  #collect(dir: Node, top: Part, node: Node): void {
    const from = dir.parts.indexOf(top);
    for (const [index, part] of dir.parts.entries()) {
      if (index < from) continue;
      if (index > from) {
        const stat = lookupAt(part.fd, node.name);
        if (stat === null) continue;
        // Below a directory anything else, a whiteout too, ends the merge.
        if (!isType(stat.mode, S_IFDIR)) return;
      }
      const fd = openChild(part.fd, node.name);
      node.parts.push({ layer: part.layer, fd });
      if (index < dir.parts.length - 1 && endsMerge(fd, node.path, this.names)) return;
    }
  }

  /**
   * Walks `path` from the root as the kernel would inside a chroot: symlinks resolved inside, ".." stops at the root.
   * @throws TeuError `invalid` when a component is no directory, or for a symlink loop.
   */
  resolve(path: string, followLast: boolean): Resolved {
    const queue = components(path);
    let dir = this.root;
    let symlinks = 0;
    for (;;) {
      const name = queue.shift();
      if (name === undefined) return this.#resolvedDirectory(dir);
      if (name === "..") {
        dir = dir.parent ?? dir;
        continue;
      }
      const found = this.find(dir, name);
      const last = queue.length === 0;
      if (found === null) {
        if (last) return { dir, name, found: null, missing: [] };
        return { dir, name: queue.at(-1) as string, found: null, missing: [name, ...queue.slice(0, -1)] };
      }
      if (isType(found.stat.mode, S_IFLNK) && (!last || followLast)) {
        if (++symlinks > MAX_SYMLINKS) throw invalid(path, "too many levels of symlinks");
        const target = readlinkAt(found.part.fd, name);
        queue.unshift(...components(target));
        if (target.startsWith("/")) dir = this.root;
        continue;
      }
      if (last) return { dir, name, found, missing: [] };
      if (!isType(found.stat.mode, S_IFDIR)) throw invalid(path, `${dir.path}/${name} is not a directory`);
      dir = this.child(dir, name, found.part);
    }
  }

  /** Drops what is remembered of `path` and everything below it; call when it was replaced. */
  forget(path: string): void {
    // What is below a directory is remembered only with the directory itself.
    if (path !== "" && !this.#nodes.has(path)) return;
    this.#writer?.drain();
    for (const [key, node] of this.#nodes) {
      if (key !== path && !key.startsWith(`${path}/`)) continue;
      this.#nodes.delete(key);
      this.#descriptors -= node.parts.length;
      closeParts(node);
    }
  }

  /** Between resolutions: closes everything when too much is open. True when it did. */
  trim(): boolean {
    if (this.#descriptors <= Math.min(KEPT, descriptorLimit() - OTHERS)) return false;
    this.forget("");
    return true;
  }

  [Symbol.dispose](): void {
    for (const node of this.#nodes.values()) closeParts(node);
    this.#nodes.clear();
    closeParts(this.root);
  }

  #resolvedDirectory(dir: Node): Resolved {
    if (dir.parent !== null) {
      return { dir: dir.parent, name: dir.name, found: this.find(dir.parent, dir.name), missing: [] };
    }
    const [part] = dir.parts;
    const stat = part === undefined ? null : lookupAt(part.fd, ".");
    return { dir, name: "", found: part === undefined || stat === null ? null : { part, stat }, missing: [] };
  }
}

function endsMerge(fd: number, path: string, names: OverlayNames): boolean {
  if (getXattr(fd, "", names.redirect) !== null) {
    throw new TeuError({
      code: "unsupported",
      op: "read layer",
      subject: path,
      message: "directory was renamed with overlayfs' redirect_dir",
      hint: "mount the overlay with redirect_dir=off",
    });
  }
  const value = getXattr(fd, "", names.opaque);
  return value !== null && value[0] === 0x79;
}

function closeParts(node: Node): void {
  const parts = node.parts;
  node.parts = [];
  for (const { fd } of parts) closeFd(fd);
}

function invalid(path: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "resolve", subject: path, message });
}
