// The directory being filled by one layer, over the layers below it: finds and makes directories in it, brings lower files
// up, removes what an entry replaces, and remembers directory times until the end. All by descriptors; the kernel never
// follows a symlink of the image.

import { TeuError } from "@teu/base/errors";
import { chmodAt, chownAt, fchmod, fchown, futimens, setTimesAt } from "@teu/files/attributes";
import {
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "@teu/files/constants";
import { copyRange } from "@teu/files/data";
import { mkdirAt, mknodAt, readDir, readlinkAt, symlinkAt } from "@teu/files/entries";
import { OwnedFd, openat2 } from "@teu/files/open";
import { removeTreeAt } from "@teu/files/remove-tree";
import { isType, lookupAt, type Stat, statAt } from "@teu/files/stat";
import { getXattr, listXattrs, setXattr } from "@teu/files/xattrs";

import {
  type Found,
  isWhiteout,
  type Node,
  openChild,
  type OverlayNames,
  type Part,
  type Resolved,
  TRUSTED,
  UnionTree,
  USER,
} from "../internal/union-tree.ts";
import { PendingFiles } from "./pending-files.ts";

/** openat2 for one component. */
export const ONE_COMPONENT: number = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

const YES = Buffer.from("y");
/** Names remembered of one directory, so that one with millions costs no memory. */
const REMEMBERED = 20_000;

/** Target of a layer. Closed when disposed; `finish` first when all went well. */
export class LayerTree implements Disposable {
  /** Files that may still be to be written. */
  readonly files: PendingFiles = new PendingFiles();
  readonly #tree: UnionTree;
  /** Directories by the parent text of entries: entries of one directory usually follow each other. */
  readonly #parents = new Map<string, Node>();
  /** Times of directories in the target, by resolved path: each new child would overwrite them. */
  readonly #times = new Map<string, bigint>();
  /** Without root: modes of directories by path, given last, since one that is not writable takes no more entries. */
  readonly #modes: Map<string, number> | null;

  /** `lower` topmost first. The target must exist and be empty; its root takes the attributes of the lower root. */
  constructor(target: string, lower: readonly string[], rootless: boolean = false) {
    this.#tree = new UnionTree([target, ...lower], rootless ? USER : TRUSTED, this.files);
    this.#modes = rootless ? new Map() : null;
    this.#tree.root.made = new Set();
    const [top, below] = this.#tree.root.parts;
    if (top === undefined) return;
    if (below === undefined) {
      this.#dress(top.fd, "", { uid: 0, gid: 0, mode: 0o755 });
      this.#times.set("", 0n);
    } else {
      // overlayfs shows the upper root's attributes, not the lower one's.
      this.#copyDirectory(below.fd, top.fd, "");
    }
  }

  /** The root directory's descriptor in the target. */
  get rootFd(): number {
    return this.#topFd(this.#tree.root);
  }

  /** The directory in the target where entries below `parent` go, made (and its parents) when missing. */
  directory(parent: string): Node {
    if (this.#tree.trim()) this.#parents.clear();
    const known = this.#parents.get(parent);
    if (known !== undefined) return known;
    const node = parent === "" ? this.#tree.root : (this.#tree.known(`/${parent}`) ?? this.#makePath(parent));
    this.#ensureTop(node);
    this.#parents.set(parent, node);
    return node;
  }

  /** As `directory`, without making anything: null when there is none. */
  existingDirectory(parent: string): Node | null {
    if (parent === "") return this.#tree.root;
    const resolved = this.#tree.resolve(parent, true);
    const { dir, name, found, missing } = resolved;
    if (found === null || missing.length > 0 || !isType(found.stat.mode, S_IFDIR)) return null;
    return name === "" ? this.#tree.root : this.#tree.child(dir, name, found.part);
  }

  /** Descriptor of a directory given by `directory`, in the target. */
  fd(node: Node): number {
    return this.#topFd(node);
  }

  /** Makes (or takes over) the directory `name`; returns its descriptor in the target, owned by the tree, and its path. */
  makeDirectory(parent: Node, name: string, mtimeNs: bigint): { readonly fd: number; readonly path: string } {
    const found = this.#tree.find(parent, name);
    let node: Node;
    if (found !== null && isType(found.stat.mode, S_IFDIR)) {
      node = this.#tree.child(parent, name, found.part);
      if (node.parts[0]?.layer !== 0) this.#addTop(node);
    } else {
      node = this.#newDirectory(parent, name);
    }
    this.#times.set(node.path, mtimeNs);
    return { fd: this.#topFd(node), path: node.path };
  }

  /** Sets the mode of a directory of the target, "" for the root; without root it stays one to write in until the end. */
  setMode(fd: number, path: string, mode: number): void {
    this.#modes?.set(path, mode);
    fchmod(fd, this.#modes === null ? mode : mode | 0o700);
  }

  /** Sets the root's time; its other attributes are set by descriptor. */
  setRootTime(mtimeNs: bigint): void {
    this.#times.set("", mtimeNs);
  }

  /** Makes the place free for a new file, to be given to `files`. */
  clear(parent: Node, name: string): void {
    if (this.#here(parent, name) !== null) this.#evict(parent, name);
    this.#take(parent, name);
  }

  /**
   * Takes places for new files, of which nothing of this layer can be in the way (so that they need no `clear`), while it says true;
   * null where that cannot be known.
   */
  claiming(parent: Node): ((name: string) => boolean) | null {
    if (parent.made === null) return null;
    // What is in no layer below cannot have been looked into there.
    const isMerged = parent.parts.length > 1;
    return (name) => {
      if (parent.made?.has(name) !== false) return false;
      if (isMerged && this.#tree.known(`${parent.path}/${name}`) !== null) return false;
      this.#note(parent, name);
      return true;
    };
  }

  /** Runs `create`, and again after removing what is in its way in the target. */
  replacing(parent: Node, name: string, create: () => void): void {
    this.files.settle(parent.path, name);
    this.#take(parent, name);
    try {
      create();
    } catch (error) {
      if (!(error instanceof TeuError) || error.code !== "already-exists") throw error;
      this.#evict(parent, name);
      create();
    }
  }

  /** Where a hard link's target is. */
  resolve(path: string): Resolved {
    return this.#tree.resolve(path, false);
  }

  /** The descriptor and name of a file in the target, brought up from a lower layer when it is only there. */
  bringUp(dir: Node, name: string, found: Found): number {
    if (found.part.layer === 0) return found.part.fd;
    const fd = this.#ensureTop(dir);
    this.#note(dir, name);
    copyEntry(found, name, fd, this.#disk);
    return fd;
  }

  /** What the target itself has at a place, of this layer. */
  #here(node: Node, name: string): Stat | null {
    if (node.made?.has(name) === false) return null;
    this.files.settle(node.path, name);
    return lookupAt(this.#topFd(node), name);
  }

  /** For what is no directory: one that a lower layer has there, and that was looked into, is one no more. */
  #take(parent: Node, name: string): void {
    this.#note(parent, name);
    const path = `${parent.path}/${name}`;
    if (this.#tree.known(path) !== null) this.#forget(path);
  }

  #note(node: Node, name: string): void {
    node.made?.add(name);
    if ((node.made?.size ?? 0) > REMEMBERED) node.made = null;
  }

  /** Hides a lower entry. What this layer itself has put there stays, but for the lower content of a directory. */
  whiteOut(parent: Node, name: string): void {
    const top = parent.parts[0]?.layer === 0 ? this.#here(parent, name) : null;
    if (top !== null && !isType(top.mode, S_IFDIR)) return;
    if (top !== null) {
      using fd = new OwnedFd(openChild(this.#topFd(parent), name));
      setXattr(fd.fd, "", this.#tree.names.opaque, YES);
    } else {
      // Without anything to hide it would only be a puzzling device node.
      if (this.#tree.find(parent, name) === null) return;
      mknodAt(this.#ensureTop(parent), name, 0o020000, 0, 0);
      this.#note(parent, name);
    }
    this.#forget(`${parent.path}/${name}`);
  }

  /** Hides everything that lower layers have in a directory. */
  makeOpaque(node: Node): void {
    const lower = node.parts.filter((part) => part.layer !== 0);
    if (node.parent === null) {
      // overlayfs does not look at marks on the root: hide its entries one by one.
      for (const part of lower) for (const { name } of readDir(part.fd)) this.whiteOut(node, name);
      return;
    }
    setXattr(this.#ensureTop(node), "", this.#tree.names.opaque, YES);
    this.#forget(node.path);
  }

  /** Sets the times (and without root the modes) of all directories, as the last thing. */
  finish(): void {
    this.files.drain();
    // What lies below first: a directory that may not be searched leads nowhere.
    const paths = [...this.#times].toSorted(([a], [b]) => b.length - a.length);
    for (const [path, mtimeNs] of this.#modes === null ? this.#times : paths) {
      const [top] = (path === "" ? this.#tree.root : this.#tree.known(path))?.parts ?? [];
      using opened = top?.layer === 0 ? null : new OwnedFd(this.#openAgain(path));
      const fd = opened?.fd ?? (top as Part).fd;
      futimens(fd, mtimeNs);
      const mode = this.#modes?.get(path);
      if (mode !== undefined) fchmod(fd, mode);
    }
  }

  [Symbol.dispose](): void {
    // Its files are written below directories that are closed then.
    this.files[Symbol.dispose]();
    this.#tree[Symbol.dispose]();
  }

  #openAgain(path: string): number {
    return openat2(this.rootFd, path.slice(1), O_RDONLY | O_NOFOLLOW, 0, ONE_COMPONENT);
  }

  /** Walks as a container would, and makes what is missing at the end. */
  #makePath(parent: string): Node {
    const { dir, name, found, missing } = this.#tree.resolve(parent, true);
    if (found !== null) {
      if (name === "") return this.#tree.root;
      if (isType(found.stat.mode, S_IFDIR)) return this.#tree.child(dir, name, found.part);
      throw new TeuError({
        code: "corrupt",
        op: "unpack layer entry",
        subject: parent,
        message: "a parent is not a directory",
      });
    }
    let node = dir;
    for (const part of [...missing, name]) {
      if (part === "..") {
        const message = "a symlink leads through a directory that is missing";
        throw new TeuError({ code: "corrupt", op: "unpack layer entry", subject: parent, message });
      }
      node = this.#newDirectory(node, part);
      this.#dress(this.#topFd(node), node.path, { uid: 0, gid: 0, mode: 0o755 });
      this.#times.set(node.path, 0n);
    }
    return node;
  }

  /** A directory that the merged tree does not have; in place of what this layer or a lower one has there instead. */
  #newDirectory(parent: Node, name: string): Node {
    const fd = this.#ensureTop(parent);
    let evicted = false;
    if (this.#here(parent, name) !== null) {
      this.#evict(parent, name);
      evicted = true;
    }
    mkdirAt(fd, name, 0o700);
    this.#note(parent, name);
    if (evicted) {
      // A whiteout or a file of this very layer said that whatever is below is gone.
      using made = new OwnedFd(openChild(fd, name));
      setXattr(made.fd, "", this.#tree.names.opaque, YES);
    }
    this.#tree.forget(`${parent.path}/${name}`);
    const node = this.#tree.child(parent, name, parent.parts[0] as Part);
    node.made = new Set();
    return node;
  }

  /** The directory's descriptor in the target; a directory known from lower layers only is copied, attributes and all. */
  #ensureTop(node: Node): number {
    const [first] = node.parts;
    if (first?.layer === 0) return first.fd;
    const fd = this.#addTop(node);
    this.#copyDirectory((first as Found["part"]).fd, fd, node.path);
    return fd;
  }

  #addTop(node: Node): number {
    const parentFd = this.#ensureTop(node.parent as Node);
    mkdirAt(parentFd, node.name, 0o700);
    this.#note(node.parent as Node, node.name);
    const fd = openChild(parentFd, node.name);
    this.#tree.raise(node, { layer: 0, fd });
    node.made = new Set();
    return fd;
  }

  #topFd(node: Node): number {
    return (node.parts[0] as Found["part"]).fd;
  }

  #copyDirectory(from: number, to: number, path: string): void {
    const stat = statAt(from, ".");
    this.#dress(to, path, stat);
    copyXattrs(from, ".", to, "", this.#disk);
    this.#times.set(path, stat.mtimeNs);
  }

  get #disk(): Disk {
    return { names: this.#tree.names, rootless: this.#modes !== null };
  }

  #dress(fd: number, path: string, attributes: Pick<Stat, "uid" | "gid" | "mode">): void {
    // Without root everything is the user's own, and the real owner an attribute.
    if (this.#modes === null) fchown(fd, attributes.uid, attributes.gid);
    this.setMode(fd, path, attributes.mode & 0o7777);
  }

  #evict(parent: Node, name: string): void {
    const fd = this.#topFd(parent);
    const stat = this.#here(parent, name);
    if (stat === null) return;
    // There may be more to come below it.
    this.files.drain();
    removeTreeAt(fd, name);
    const path = `${parent.path}/${name}`;
    if (isType(stat.mode, S_IFDIR)) this.#dropTimes(path);
    if (isType(stat.mode, S_IFDIR) || isType(stat.mode, S_IFLNK) || isWhiteout(stat)) this.#forget(path);
  }

  /** Forgets what was looked up at `path` and through it; what was made there stays. */
  #forget(path: string): void {
    this.#tree.forget(path);
    this.#parents.clear();
  }

  #dropTimes(path: string): void {
    for (const known of [...this.#times.keys()]) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      this.#times.delete(known);
      this.#modes?.delete(known);
    }
  }
}

/** How attributes are kept. */
interface Disk {
  readonly names: OverlayNames;
  readonly rootless: boolean;
}

/** Copies one file, link or node into the target with all attributes; its place must be free. */
function copyEntry({ part, stat }: Found, name: string, to: number, disk: Disk): void {
  if (isType(stat.mode, S_IFREG)) {
    using source = new OwnedFd(openat2(part.fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, ONE_COMPONENT));
    using copy = new OwnedFd(openat2(to, name, O_WRONLY | O_CREAT | O_EXCL, 0o600, ONE_COMPONENT));
    copyRange(source.fd, copy.fd, stat.size);
  } else if (isType(stat.mode, S_IFLNK)) {
    symlinkAt(readlinkAt(part.fd, name), to, name);
  } else {
    mknodAt(to, name, stat.mode, stat.rdevMajor, stat.rdevMinor);
  }
  // Changing the owner takes capabilities away, hence root's order; who is not root cannot set attributes of what is not writable.
  if (disk.rootless) copyXattrs(part.fd, name, to, name, disk);
  else chownAt(to, name, stat.uid, stat.gid);
  if (!isType(stat.mode, S_IFLNK)) chmodAt(to, name, stat.mode & 0o7777);
  if (!disk.rootless) copyXattrs(part.fd, name, to, name, disk);
  setTimesAt(to, name, stat.mtimeNs);
}

function copyXattrs(from: number, fromName: string, to: number, toName: string, { names }: Disk): void {
  for (const key of listXattrs(from, fromName)) {
    if (key.startsWith(names.prefix)) continue;
    const value = getXattr(from, fromName, key);
    if (value !== null) setXattr(to, toName, key, value);
  }
}
