// The build context: a directory of the host, read in place, without what the ignore file leaves out.
// Everything in it belongs to 0:0, as if it had been sent to a builder; symlinks never lead outside (resolvePath, openBeneath).

import { readDir, readlinkAt } from "@teu/files/entries";
import { openDirectory, type OwnedFd } from "@teu/files/open";
import { lookupAt } from "@teu/files/stat";
import { type FileTree, joinPath, type TreeEntry } from "./file-tree.ts";
import type { IgnoreRules } from "./ignore-file.ts";
import { contentXattrs, entryFromStat, openBeneath, sortNames } from "./stat-entry.ts";

const OWNER = { uid: 0, gid: 0 };

/** A context directory as a tree. */
export class ContextTree implements FileTree {
  readonly #root: OwnedFd;
  readonly #rules: IgnoreRules;
  /** Ignored directories that hold something re-included. */
  readonly #partly = new Map<string, boolean>();

  private constructor(root: OwnedFd, rules: IgnoreRules) {
    this.#root = root;
    this.#rules = rules;
  }

  /** @throws TeuError `not-found` or `invalid` when `directory` is none. */
  static open(directory: string, rules: IgnoreRules): ContextTree {
    return new ContextTree(openDirectory(directory), rules);
  }

  entry(path: string): TreeEntry | null {
    const stat = lookupAt(this.#root.fd, path === "" ? "." : path);
    if (stat === null) return null;
    const entry = entryFromStat(stat, OWNER);
    return this.#shown(path, entry) ? entry : null;
  }

  names(path: string): string[] {
    using directory = openDirectoryBeneath(this.#root.fd, path);
    const names = readDir(directory.fd).map(({ name }) => name);
    return sortNames(names.filter((name) => this.entry(joinPath(path, name)) !== null));
  }

  readLink(path: string): string {
    return readlinkAt(this.#root.fd, path);
  }

  xattrs(path: string): readonly (readonly [string, Uint8Array])[] {
    return contentXattrs(this.#root.fd, path);
  }

  open(path: string): OwnedFd {
    return openBeneath(this.#root.fd, path);
  }

  isLeftOut(path: string): boolean {
    return lookupAt(this.#root.fd, path) !== null && this.entry(path) === null;
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  #shown(path: string, entry: TreeEntry): boolean {
    if (!this.#rules.ignores(path)) return true;
    if (entry.kind !== "directory" || this.#rules.prunable) return false;
    let partly = this.#partly.get(path);
    if (partly === undefined) {
      partly = this.names(path).length > 0;
      this.#partly.set(path, partly);
    }
    return partly;
  }
}

function openDirectoryBeneath(rootFd: number, path: string): OwnedFd {
  return openBeneath(rootFd, path === "" ? "." : path);
}
