// Writes the entries of one layer's tar into a directory in overlay format (image-spec, layer.md "Applying Changesets").
// What a name means is entry-place's business, how directories are found and made is layer-tree's, how entries get their
// owner, mode and attributes is entry-attributes'. Ordinary files go to the thread pool by plan (pending-files). Times come last.

import { writeSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import type { Log } from "@teu/base/scope";
import { fchmod, futimens, setTimesAt } from "@teu/files/attributes";
import { O_CREAT, O_EXCL, O_WRONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO } from "@teu/files/constants";
import { truncate, writeAll } from "@teu/files/data";
import { linkAt, mknodAt, symlinkAt } from "@teu/files/entries";
import { firstArchived, type HashedBytes, type PlannedFiles, type Turn } from "@teu/files/file-writer";
import { closeFd, openat2 } from "@teu/files/open";
import { isType, lookupAt } from "@teu/files/stat";

import type { Node } from "../internal/union-tree.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarSink } from "../tar/reader.ts";
import { EntryAttributes, type PlainAttributes } from "./entry-attributes.ts";
import { linkTarget, placeOf } from "./entry-place.ts";
import { LayerTree, ONE_COMPONENT } from "./layer-tree.ts";
import type { Subject } from "./pending-files.ts";
import { unpackError } from "./unpack-error.ts";

const NOTHING = new Uint8Array(0);

interface PendingFile {
  readonly entry: TarEntry;
  readonly parent: Node;
  readonly name: string;
  /** What the plan says of it; null for what a plan cannot say (holes, extended attributes): that is written at once. */
  readonly plain: PlainAttributes | null;
  fd: number | null;
  /** Content that came; -1 before the file is begun. */
  size: number;
}

/** The directory that was made last, or that the last file went to: the next file most often goes there. */
interface Directory {
  /** What is before a file's name in the archive, with its slash. */
  readonly text: string;
  readonly before: Uint8Array;
  /** As `LayerTree.directory` has it. */
  readonly parent: string;
  readonly subject: Subject;
}

interface DeferredLink {
  readonly entry: TarEntry;
  readonly parent: string;
  readonly name: string;
}

/** A tar sink that fills a directory. `finish` when the archive was whole; dispose in any case. */
export class LayerWriter implements TarSink, Disposable {
  readonly #tree: LayerTree;
  readonly #attributes: EntryAttributes;
  #file: PendingFile | null = null;
  #directory: Directory | null = null;
  #current = "";
  /** Hard links whose target had not come yet. */
  readonly #deferred: DeferredLink[] = [];

  /** See `LayerTree` for what target and lower must be. */
  constructor(log: Log, target: string, lower: readonly string[], rootless: boolean = false) {
    this.#attributes = new EntryAttributes(log, rootless);
    this.#tree = new LayerTree(target, lower, rootless);
  }

  entry(entry: TarEntry): void {
    this.#current = entry.name;
    this.#guard(() => this.#place(entry));
  }

  data(chunk: Uint8Array, offset: number): void {
    const file = this.#file;
    if (file !== null) this.#guard(() => this.#write(file, chunk, offset));
  }

  endEntry(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    if (file.plain === null) this.#guard(() => this.#endFile(file));
    else if (file.size < 0) this.#guard(() => this.#gather(file, file.plain as PlainAttributes, NOTHING));
  }

  /** Files that follow one in its directory, and need nothing but to be written. */
  plainFiles(archive: Uint8Array, at: number): PlannedFiles | null {
    const directory = this.#directory;
    if (directory === null) return null;
    // Before the directory is looked for: that makes it again when it is gone, which only a file in it may do.
    const first = firstArchived({ archive, at, before: directory.before });
    if (first === null) return null;
    try {
      const parent = this.#tree.directory(directory.parent);
      const claim = this.#tree.claiming(parent);
      if (claim === null) return null;
      const files = { archive, at, before: directory.before, dirfd: this.#tree.fd(parent) };
      return this.#tree.files.addArchived(parent.path, files, claim, directory.subject);
    } catch (error) {
      throw this.#failed(directory.subject(first), error);
    }
  }

  /** To be called after each chunk of the archive; then the chunk before it is not needed any more. The rest as `FileWriter.flush`. */
  flush(hashed?: HashedBytes, beside?: HashedBytes): Promise<Turn> {
    return this.#tree.files.flush(hashed, beside);
  }

  /** Makes the links that had to wait, and sets directory times. */
  finish(): void {
    for (const { entry, parent, name } of this.#deferred) {
      this.#current = entry.name;
      this.#guard(() => {
        if (this.#link(entry, this.#tree.directory(parent), name)) return;
        throw new TeuError({
          code: "corrupt",
          op: "make hard link",
          subject: entry.linkName,
          message: "its target is not in the image",
        });
      });
    }
    this.#tree.finish();
  }

  [Symbol.dispose](): void {
    if (this.#file?.fd != null) closeFd(this.#file.fd);
    this.#file = null;
    this.#tree[Symbol.dispose]();
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.#failed(this.#current, error);
    }
  }

  #failed(subject: string, error: unknown): unknown {
    // A file that came before and cannot be written is what went wrong first.
    this.#tree.files.drain();
    return unpackError(subject, error);
  }

  #place(entry: TarEntry): void {
    const place = placeOf(entry.name);
    switch (place.kind) {
      case "skip":
        return;
      case "root":
        return this.#root(entry);
      case "whiteout": {
        const parent = this.#tree.existingDirectory(place.parent);
        return parent === null ? undefined : this.#tree.whiteOut(parent, place.name);
      }
      case "opaque": {
        const parent = this.#tree.existingDirectory(place.parent);
        return parent === null ? undefined : this.#tree.makeOpaque(parent);
      }
      case "entry":
        return this.#make(entry, place.parent, place.name);
    }
  }

  #root(entry: TarEntry): void {
    // CVE-2021-29136: a root that is a symlink would send everything after it elsewhere.
    if (entry.type !== "directory") {
      throw new TeuError({
        code: "corrupt",
        op: "unpack layer entry",
        subject: entry.name,
        message: `the root is a ${entry.type} instead of a directory`,
      });
    }
    const fd = this.#tree.rootFd;
    this.#attributes.give(entry, fd, () => this.#tree.setMode(fd, "", entry.mode));
    this.#tree.setRootTime(entry.mtimeNs);
  }

  #make(entry: TarEntry, parentPath: string, name: string): void {
    const parent = this.#tree.directory(parentPath);
    switch (entry.type) {
      case "file":
        this.#file = this.#pending(entry, parent, name);
        if (entry.name.endsWith(name)) this.#remember(entry.name.slice(0, -name.length), parentPath);
        return;
      case "directory":
        this.#makeDirectory(entry, parent, name);
        return this.#remember(`${entry.name}/`, parentPath === "" ? name : `${parentPath}/${name}`);
      case "symlink":
        this.#tree.replacing(parent, name, () => symlinkAt(entry.linkName, this.#tree.fd(parent), name));
        return this.#dressNode(entry, this.#tree.fd(parent), name);
      case "hardlink":
        if (!this.#link(entry, parent, name)) this.#deferred.push({ entry, parent: parentPath, name });
        return;
      default:
        return this.#makeNode(entry, parent, name);
    }
  }

  /** `text`: see `Directory`; `parent` is what it means. */
  #remember(text: string, parent: string): void {
    // Without root there are owners to be noted.
    if (this.#attributes.rootless || text === this.#directory?.text) return;
    this.#directory = { text, before: Buffer.from(text), parent, subject: (last) => `${text}${last}` };
  }

  #makeDirectory(entry: TarEntry, parent: Node, name: string): void {
    const { fd, path } = this.#tree.makeDirectory(parent, name, entry.mtimeNs);
    this.#attributes.give(entry, fd, () => this.#tree.setMode(fd, path, entry.mode));
  }

  #makeNode(entry: TarEntry, parent: Node, name: string): void {
    const device = entry.type === "character" && entry.devMajor === 0 && entry.devMinor === 0;
    if (device) {
      throw new TeuError({
        code: "corrupt",
        op: "unpack layer entry",
        subject: entry.name,
        message: "character device 0:0 is overlayfs' own mark for a deleted file",
      });
    }
    if (entry.type !== "fifo" && this.#attributes.rootless) {
      this.#file = this.#pending(entry, parent, name);
      return;
    }
    const type = entry.type === "character" ? S_IFCHR : entry.type === "block" ? S_IFBLK : S_IFIFO;
    const fd = this.#tree.fd(parent);
    this.#tree.replacing(parent, name, () => mknodAt(fd, name, type | 0o600, entry.devMajor, entry.devMinor));
    this.#dressNode(entry, fd, name);
  }

  #dressNode(entry: TarEntry, fd: number, name: string): void {
    this.#attributes.giveAt(entry, fd, name);
    setTimesAt(fd, name, entry.mtimeNs);
  }

  /** False when the target does not exist (yet). */
  #link(entry: TarEntry, parent: Node, name: string): boolean {
    const target = this.#tree.resolve(linkTarget(entry.name, entry.linkName));
    if (target.found === null) return false;
    if (isType(target.found.stat.mode, S_IFDIR)) {
      throw new TeuError({
        code: "corrupt",
        op: "make hard link",
        subject: entry.linkName,
        message: "its target is a directory",
      });
    }
    const place = `${parent.path}/${name}`;
    if (target.dir.path === place || target.dir.path.startsWith(`${place}/`)) {
      // Making room for the link would remove the target, and close the descriptor that it is reached by.
      throw new TeuError({
        code: "corrupt",
        op: "make hard link",
        subject: entry.linkName,
        message: "the link would take the place of a directory that its target is in",
      });
    }
    const from = this.#tree.bringUp(target.dir, target.name, target.found);
    const to = this.#tree.fd(parent);
    const present = lookupAt(to, name);
    const source = lookupAt(from, target.name);
    // Already the same file, as when an archive links a name to itself: removing it first would lose it.
    if (present !== null && present.ino === source?.ino) return true;
    this.#tree.replacing(parent, name, () => linkAt(from, target.name, to, name));
    return true;
  }

  #write(file: PendingFile, chunk: Uint8Array, offset: number): void {
    if (file.plain !== null) return this.#gather(file, file.plain, chunk);
    file.fd ??= this.#create(file.parent, file.name);
    if (file.entry.sparse === null) writeAll(file.fd, chunk);
    else writeAt(file.fd, chunk, offset);
  }

  #pending(entry: TarEntry, parent: Node, name: string): PendingFile {
    const plain = entry.sparse === null ? this.#attributes.plain(entry) : null;
    return { entry, parent, name, plain, fd: null, size: -1 };
  }

  #gather(file: PendingFile, plain: PlainAttributes, data: Uint8Array): void {
    const { entry, parent, name } = file;
    const first = file.size < 0;
    if (first) this.#tree.clear(parent, name);
    file.size = Math.max(file.size, 0) + data.length;
    const { mode, uid, gid, mtimeNs } = plain;
    const last = file.size === entry.size;
    const piece = { dirfd: this.#tree.fd(parent), name, data, mode, uid, gid, mtimeNs, first, last };
    this.#tree.files.add(parent.path, () => entry.name, piece);
  }

  #endFile(file: PendingFile): void {
    const { entry, parent, name } = file;
    const fd = file.fd ?? this.#create(parent, name);
    try {
      if (entry.sparse !== null) truncate(fd, entry.size);
      this.#attributes.give(entry, fd, () => fchmod(fd, entry.mode));
      futimens(fd, entry.mtimeNs);
    } finally {
      closeFd(fd);
    }
  }

  #create(parent: Node, name: string): number {
    let fd = -1;
    this.#tree.replacing(parent, name, () => {
      fd = openat2(this.#tree.fd(parent), name, O_WRONLY | O_CREAT | O_EXCL, 0o600, ONE_COMPONENT);
    });
    return fd;
  }
}

function writeAt(fd: number, chunk: Uint8Array, offset: number): void {
  for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done, chunk.length - done, offset + done);
}
