// Writes files straight into the upper directory of a layer, as overlayfs would have left them had they been written through a mount.
// The destination's symlinks are followed inside the root file system only; directories of lower layers are copied up with their attributes.

import { TeuError } from "@teu/base/errors";
import { chmodAt, chownAt, fchmod, fchown, futimens, setTimesAt } from "@teu/files/attributes";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "@teu/files/constants";
import { copyRange, writeAll } from "@teu/files/data";
import { linkAt, mknodAt, mkdirAt, symlinkAt, unlinkAt } from "@teu/files/entries";
import { openat2, openDirectory, OwnedFd } from "@teu/files/open";
import { removeTreeAt } from "@teu/files/remove-tree";
import { fstat } from "@teu/files/stat";
import { setXattr } from "@teu/files/xattrs";
import { type FileTree, resolvePath, type TreeEntry } from "../context/file-tree.ts";
import { LayerTree } from "../context/layer-tree.ts";
import type { Owner } from "../context/user-names.ts";

/** Where a new entry's bytes, link target and attributes come from. */
export interface EntrySource {
  readonly tree: Pick<FileTree, "open" | "readLink" | "xattrs">;
  readonly path: string;
}

const OPAQUE = new Uint8Array(["y".charCodeAt(0)]);

type Attributes = Pick<TreeEntry, "mode" | "uid" | "gid"> & { readonly mtimeNs?: bigint };

/** One layer being written. Disposing closes descriptors; what was written stays. */
export class LayerWriter implements Disposable {
  /** Upper and lower together, as it is now. */
  readonly tree: LayerTree;
  readonly #upper: OwnedFd;
  /** Places where something of the upper directory was removed: a directory made there later must not show the lower ones. */
  readonly #cleared = new Set<string>();
  readonly #shadowed = new Set<string>();
  readonly #inUpper = new Set<string>([""]);
  /** Times are set at the end: creating an entry changes its directory's. */
  readonly #directoryTimes = new Map<string, bigint>();

  private constructor(upper: OwnedFd, tree: LayerTree) {
    this.#upper = upper;
    this.tree = tree;
  }

  /** `upper` is an existing directory; `lower` topmost first. */
  static open(upper: string, lower: readonly string[]): LayerWriter {
    return new LayerWriter(openDirectory(upper), LayerTree.open([upper, ...lower], { live: true }));
  }

  /** A path as a process in the root file system would reach it; parts that do not exist are kept. */
  resolve(path: string, followLast = true): string {
    return resolvePath(this.tree, path, followLast).path;
  }

  /** Makes sure that `path` (canonical) is a directory; new ones get `owner` and mode 755. */
  ensureDirectory(path: string, owner: Owner): void {
    if (this.#inUpper.has(path)) return;
    const slash = path.lastIndexOf("/");
    this.ensureDirectory(slash < 0 ? "" : path.slice(0, slash), owner);
    const found = this.tree.find(path);
    const replaces = found !== null && found.entry.kind !== "directory";
    if (replaces && !this.#shadowed.has(path)) throw conflict(path, "is not a directory");
    if (found === null || replaces) this.#makeDirectory(path, { mode: 0o755, ...owner });
    else if (found.layer !== 0) this.#copyUp(path, found.entry);
    this.#inUpper.add(path);
  }

  /** A directory with the given attributes; one that exists gets them (`keepExisting`: stays as it is). */
  putDirectory(path: string, entry: TreeEntry, source: EntrySource | null, keepExisting: boolean): void {
    const found = this.tree.find(path);
    if (found !== null && keepExisting && found.entry.kind === "directory") return;
    this.ensureDirectory(path, { uid: entry.uid, gid: entry.gid });
    if (path === "") return;
    using directory = this.#openUpper(path);
    applyAttributes(directory.fd, entry);
    for (const [name, value] of source?.tree.xattrs(source.path) ?? []) setXattr(directory.fd, "", name, value);
    this.#directoryTimes.set(path, entry.mtimeNs);
  }

  /** Anything but a directory; replaces what is not a directory. The parent must be there. */
  putEntry(path: string, entry: TreeEntry, source: EntrySource): void {
    const { parent, name } = this.#place(path);
    using directory = this.#openUpper(parent);
    if (entry.kind === "file") {
      using target = new OwnedFd(openat2(directory.fd, name, O_WRONLY | O_CREAT | O_EXCL, 0o600));
      using from = source.tree.open(source.path);
      while (copyRange(from.fd, target.fd, 1 << 30) > 0);
      // The step is kept under the digest of what was read before: it must not become the result of something else.
      const { mtimeNs, size } = fstat(from.fd);
      if (mtimeNs !== entry.mtimeNs || size !== entry.size) throw changedMeanwhile(source.path);
      for (const [key, value] of source.tree.xattrs(source.path)) setXattr(target.fd, "", key, value);
      applyAttributes(target.fd, entry);
      return;
    }
    if (entry.kind === "symlink") symlinkAt(source.tree.readLink(source.path), directory.fd, name);
    else if (entry.kind === "fifo") mknodAt(directory.fd, name, S_IFIFO | 0o600, 0, 0);
    else if (entry.kind === "char" || entry.kind === "block")
      mknodAt(directory.fd, name, (entry.kind === "char" ? S_IFCHR : S_IFBLK) | 0o600, entry.major, entry.minor);
    else return;
    chownAt(directory.fd, name, entry.uid, entry.gid);
    // Just made by us in a directory that nobody else writes to: no symlink can be there.
    if (entry.kind !== "symlink") chmodAt(directory.fd, name, entry.mode);
    setTimesAt(directory.fd, name, entry.mtimeNs);
  }

  /** A regular file with these bytes. */
  putBytes(path: string, bytes: Uint8Array, attributes: Attributes): void {
    using target = this.createFile(path);
    writeAll(target.fd, bytes);
    applyAttributes(target.fd, attributes);
  }

  /** A new empty file, for writing; replaces what is no directory. The caller sets its attributes and closes it. */
  createFile(path: string): OwnedFd {
    const { parent, name } = this.#place(path);
    using directory = this.#openUpper(parent);
    return new OwnedFd(openat2(directory.fd, name, O_WRONLY | O_CREAT | O_EXCL, 0o600));
  }

  /** A further name for a file written before. Both paths canonical. */
  link(from: string, to: string): void {
    const { parent, name } = this.#place(to);
    using directory = this.#openUpper(parent);
    linkAt(this.#upper.fd, from, directory.fd, name);
  }

  /** Lets a file take the place of a directory of a lower layer, and the other way round. */
  shadow(path: string): void {
    this.clear(path);
    this.#shadowed.add(path);
  }

  /** Takes away what is at `path`, a directory with all below; what lower layers have there is shadowed by what comes next. */
  clear(path: string): void {
    if (this.tree.find(path)?.layer !== 0) return;
    const slash = path.lastIndexOf("/");
    using directory = this.#openUpper(slash < 0 ? "" : path.slice(0, slash));
    removeTreeAt(directory.fd, path.slice(slash + 1));
    this.#cleared.add(path);
    for (const known of this.#inUpper) if (known === path || known.startsWith(`${path}/`)) this.#inUpper.delete(known);
    for (const known of this.#directoryTimes.keys())
      if (known === path || known.startsWith(`${path}/`)) this.#directoryTimes.delete(known);
  }

  /** Sets what had to wait until everything was written. */
  finish(): void {
    for (const [path, mtimeNs] of this.#directoryTimes) {
      using directory = this.#openUpper(path);
      futimens(directory.fd, mtimeNs);
    }
    this.#directoryTimes.clear();
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
    this.#upper[Symbol.dispose]();
  }

  /** Clears the place for a new entry that is no directory. */
  #place(path: string): { parent: string; name: string } {
    const found = this.tree.find(path);
    // After `clear` a lower directory may still be seen there: the new entry shadows it.
    if (path === "" || (found?.entry.kind === "directory" && !this.#shadowed.has(path)))
      throw conflict(path, "is a directory", "end the destination with a slash to copy into it");
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    const name = path.slice(slash + 1);
    this.ensureDirectory(parent, { uid: 0, gid: 0 });
    if (found?.layer === 0) {
      using directory = this.#openUpper(parent);
      unlinkAt(directory.fd, name);
    }
    return { parent, name };
  }

  #makeDirectory(path: string, attributes: Attributes): void {
    const slash = path.lastIndexOf("/");
    using parent = this.#openUpper(slash < 0 ? "" : path.slice(0, slash));
    mkdirAt(parent.fd, path.slice(slash + 1), 0o700);
    using directory = this.#openUpper(path);
    if (this.#cleared.has(path)) setXattr(directory.fd, "", "trusted.overlay.opaque", OPAQUE);
    applyAttributes(directory.fd, attributes);
  }

  #copyUp(path: string, entry: TreeEntry): void {
    const xattrs = this.tree.xattrs(path);
    this.#makeDirectory(path, entry);
    using directory = this.#openUpper(path);
    for (const [name, value] of xattrs) setXattr(directory.fd, "", name, value);
    this.#directoryTimes.set(path, entry.mtimeNs);
  }

  #openUpper(path: string): OwnedFd {
    return new OwnedFd(
      openat2(
        this.#upper.fd,
        path === "" ? "." : path,
        O_RDONLY | O_DIRECTORY,
        0,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
      ),
    );
  }
}

function applyAttributes(fd: number, attributes: Attributes): void {
  // Owner first: chown takes set-id bits away.
  fchown(fd, attributes.uid, attributes.gid);
  fchmod(fd, attributes.mode);
  if (attributes.mtimeNs !== undefined) futimens(fd, attributes.mtimeNs);
}

function changedMeanwhile(path: string): TeuError {
  return new TeuError({
    code: "conflict",
    op: "copy",
    subject: path,
    message: "the file changed while it was read",
    hint: "build again when nothing writes to it",
  });
}

function conflict(path: string, message: string, hint?: string): TeuError {
  return new TeuError({
    code: "conflict",
    op: "copy to",
    subject: `/${path}`,
    message,
    ...(hint === undefined ? {} : { hint }),
  });
}
