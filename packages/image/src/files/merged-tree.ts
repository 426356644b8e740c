// The file system that layers give together, in memory and from their tars alone: no disk, no root, no mount. Same rules as
// unpacking (layer/layer-writer.ts, layer/layer-tree.ts): symlinks lead inside the image only, whiteouts hide lower layers only.

import { TeuError } from "@teu/base/errors";

import { linkTarget, placeOf } from "../layer/entry-place.ts";
import { FORBIDDEN_XATTRS } from "../layer/entry-attributes.ts";
import { NO_XATTRS, type TarEntry, type TarType } from "../tar/entry.ts";

/** A file as it is, whatever its names: two names of one file share this object. */
export interface FileFacts {
  readonly type: Exclude<TarType, "hardlink">;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** What was made of its content while it was read. */
  content: unknown;
}

/** A name in the tree. */
export interface TreeNode {
  facts: FileFacts;
  /** The layer that last had a say about it, from 0 at the bottom. */
  layer: number;
  readonly children: Map<string, TreeNode>;
}

/** Symlinks followed in one resolution, as in the kernel. */
const MAX_SYMLINKS = 40;
/** What layers of one image may hold together; each takes some hundred bytes here. */
const MAX_NODES = 4_000_000;

interface Place {
  readonly node: TreeNode | undefined;
  /** The directories that lead there. */
  readonly above: readonly TreeNode[];
}

/** See the head of this file. Layers from the bottom up: `begin`, any number of `entry`, `end`. */
export class MergedTree {
  readonly root: TreeNode = directory(0);
  /** Whether a layer said what the root directory is like. */
  rootIsGiven = false;
  #layer = -1;
  #nodes = 0;
  /** Hard links whose target had not come yet. */
  #deferred: TarEntry[] = [];

  /** The next layer begins. */
  begin(): void {
    this.#layer++;
    this.#deferred = [];
  }

  /** Takes an entry; the facts of a file whose content follows, else null. @throws TeuError `corrupt`, `exhausted`. */
  entry(entry: TarEntry): FileFacts | null {
    const place = placeOf(entry.name);
    if (place.kind === "skip") return null;
    if (place.kind === "root") return this.#setRoot(entry);
    if (place.kind === "entry") return this.#make(entry, place.parent, place.name);
    const parent = this.#existing(place.parent);
    if (parent === null) return null;
    if (place.kind === "opaque") this.#hideBelow(parent);
    else this.#whiteOut(parent, place.name);
    return null;
  }

  /** The layer is over: makes the links that had to wait. */
  end(): void {
    for (const entry of this.#deferred) {
      if (this.#link(entry)) continue;
      throw refuse(entry.name, `it is a link to ${JSON.stringify(entry.linkName)}, which is not in the image`);
    }
    this.#deferred = [];
  }

  #setRoot(entry: TarEntry): null {
    if (entry.type !== "directory") throw refuse(entry.name, `the root is a ${entry.type} instead of a directory`);
    this.root.facts = factsOf(entry);
    this.root.layer = this.#layer;
    this.rootIsGiven = true;
    return null;
  }

  #make(entry: TarEntry, parentPath: string, name: string): FileFacts | null {
    if (entry.type === "hardlink") {
      if (!this.#link(entry)) this.#deferred.push(entry);
      return null;
    }
    if (entry.type === "character" && entry.devMajor === 0 && entry.devMinor === 0)
      throw refuse(entry.name, "character device 0:0 is overlayfs' own mark for a deleted file");
    const parent = this.#directory(parentPath);
    const facts = factsOf(entry);
    const present = parent.children.get(name);
    if (entry.type === "directory" && present?.facts.type === "directory") {
      present.facts = facts;
      present.layer = this.#layer;
      return null;
    }
    this.#put(parent, name, facts);
    return entry.type === "file" ? facts : null;
  }

  #put(parent: TreeNode, name: string, facts: FileFacts): TreeNode {
    if (++this.#nodes > MAX_NODES)
      throw new TeuError({ code: "exhausted", op: "read layers", message: `more than ${MAX_NODES} files` });
    const node = { facts, layer: this.#layer, children: new Map<string, TreeNode>() };
    parent.children.set(name, node);
    return node;
  }

  /** False when the target does not exist (yet). */
  #link(entry: TarEntry): boolean {
    const target = this.#resolve(linkTarget(entry.name, entry.linkName), false);
    if (target?.node === undefined) return false;
    const { node } = target;
    if (node.facts.type === "directory") throw refuse(entry.name, "it is a hard link to a directory");
    // A file of a lower layer is copied for this one: its other names there stay what they were.
    if (node.layer !== this.#layer) {
      node.facts = { ...node.facts };
      node.layer = this.#layer;
      this.#touch(entry.linkName);
    }
    const place = placeOf(entry.name);
    if (place.kind !== "entry") return true;
    const parent = this.#directory(place.parent);
    const present = parent.children.get(place.name);
    if (present === node) return true;
    if (present !== undefined && target.above.includes(present))
      throw refuse(entry.name, "it would take the place of a directory that its target is in");
    this.#put(parent, place.name, node.facts);
    return true;
  }

  /** Copying a file up makes its directories parts of this layer. */
  #touch(path: string): void {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    this.#directory(parts.slice(0, -1).join("/"));
  }

  /** Hides a lower entry. What this layer itself has put there stays, but for what is below it. */
  #whiteOut(parent: TreeNode, name: string): void {
    const node = parent.children.get(name);
    if (node === undefined) return;
    if (node.layer !== this.#layer) parent.children.delete(name);
    else if (node.facts.type === "directory") this.#hideBelow(node);
  }

  #hideBelow(node: TreeNode): void {
    const left = [node];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      for (const [name, child] of next.children) {
        if (child.layer !== this.#layer) next.children.delete(name);
        else if (child.facts.type === "directory") left.push(child);
      }
    }
  }

  /** The directory where entries below `path` go, made (and its parents) when missing. */
  #directory(path: string): TreeNode {
    const left = path === "" ? [] : path.split("/");
    const above: TreeNode[] = [this.root];
    let symlinks = 0;
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const here = above.at(-1) as TreeNode;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (above.length > 1) above.pop();
        continue;
      }
      const node = here.children.get(name);
      if (node?.facts.type === "symlink") {
        if (++symlinks > MAX_SYMLINKS) throw refuse(path, "too many levels of symlinks");
        if (node.facts.linkName.startsWith("/")) above.length = 1;
        left.unshift(...node.facts.linkName.split("/"));
      } else if (node === undefined) {
        if (left.includes("..")) throw refuse(path, "a symlink leads through a directory that is missing");
        above.push(this.#put(here, name, implied()));
      } else {
        if (node.facts.type !== "directory") throw refuse(path, "a parent is not a directory");
        above.push(node);
      }
    }
    for (const node of above) if (node !== this.root) node.layer = this.#layer;
    return above.at(-1) as TreeNode;
  }

  #existing(path: string): TreeNode | null {
    if (path === "") return this.root;
    const node = this.#resolve(path, true)?.node;
    return node?.facts.type === "directory" ? node : null;
  }

  #resolve(path: string, followLast: boolean): Place | null {
    return resolveIn(this.root, path, followLast);
  }
}

/** Null when something in front of the last component is missing. @throws TeuError `corrupt` when it is no directory. */
function resolveIn(root: TreeNode, path: string, followLast: boolean): Place | null {
  const left = path.split("/");
  const above: TreeNode[] = [root];
  let place: Place | null = null;
  let symlinks = 0;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === "" || name === ".") continue;
    const here = above.at(-1) as TreeNode;
    if (here.facts.type !== "directory") throw refuse(path, "a parent is not a directory");
    if (name === "..") {
      if (above.length > 1) above.pop();
      place = { node: above.at(-1), above };
      continue;
    }
    const node = here.children.get(name);
    const last = left.every((part) => part === "" || part === ".");
    place = { node, above };
    if (node === undefined) return last ? place : null;
    if (node.facts.type === "symlink" && (!last || followLast)) {
      if (++symlinks > MAX_SYMLINKS) throw refuse(path, "too many levels of symlinks");
      if (node.facts.linkName.startsWith("/")) above.length = 1;
      left.unshift(...node.facts.linkName.split("/"));
      place = { node: above.at(-1), above };
      continue;
    }
    above.push(node);
  }
  return place;
}

function factsOf(entry: TarEntry): FileFacts {
  const { type, mode, uid, gid, size, mtimeNs, linkName, devMajor, devMinor } = entry;
  return {
    type: type as FileFacts["type"],
    mode: type === "symlink" ? 0o777 : mode,
    uid,
    gid,
    size,
    mtimeNs,
    linkName,
    devMajor,
    devMinor,
    xattrs: allowed(entry.xattrs),
    content: null,
  };
}

function allowed(xattrs: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  if (xattrs.size === 0) return NO_XATTRS;
  return new Map([...xattrs].filter(([key]) => !FORBIDDEN_XATTRS.test(key)));
}

/** A directory that entries need and no layer describes, as unpacking makes it. */
function implied(): FileFacts {
  return {
    type: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeNs: 0n,
    linkName: "",
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_XATTRS,
    content: null,
  };
}

function directory(layer: number): TreeNode {
  return { facts: implied(), layer, children: new Map() };
}

function refuse(subject: string, message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read layers", subject, message });
}
