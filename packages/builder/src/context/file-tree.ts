// What files can be copied from: the build context, a stage or an image behind one face, and lookups that never leave it.
// Paths are canonical: "" is the root, else "a/b" without leading slash, "." and "..", and without symlinks in the middle.

import { TeuError } from "@teu/base/errors";
import type { OwnedFd } from "@teu/files/open";
import { compilePattern, isPattern } from "./path-match.ts";

/** What an entry is. */
export type EntryKind = "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";

/** What is known of an entry without reading it. */
export interface TreeEntry {
  readonly kind: EntryKind;
  /** Permission bits, 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Of devices. */
  readonly major: number;
  readonly minor: number;
}

/** A tree of files to read from. Whoever opened it disposes it. */
export interface FileTree extends Disposable {
  /** The entry itself, a symlink not followed; null when absent or left out. */
  entry(path: string): TreeEntry | null;
  /** Names in a directory, sorted by code units. */
  names(path: string): string[];
  readLink(path: string): string;
  /** Extended attributes that belong to the content (no overlay, no SELinux). */
  xattrs(path: string): readonly (readonly [name: string, value: Uint8Array])[];
  /** A regular file, for reading. The caller closes it. */
  open(path: string): OwnedFd;
  /** Whether a path is there but left out by rules, for error texts. */
  isLeftOut?(path: string): boolean;
}

const MOST_LINKS = 40;

/** Joins canonical paths and names. */
export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Makes "../a//b/./" to "a/b": nothing leads above the root. Keeps no trailing slash. */
export function cleanPath(path: string): string {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") out.pop();
    else if (part !== "" && part !== ".") out.push(part);
  }
  return out.join("/");
}

/** Where a path leads. */
export interface ResolvedPath {
  /** Canonical; parts that do not exist are kept as they are. */
  readonly path: string;
  readonly entry: TreeEntry | null;
}

/**
 * Follows symlinks as a process would whose root is the tree: absolute targets and ".." stay inside.
 * With `followLast` false a final symlink itself is the result.
 * @throws TeuError `invalid` for more than 40 links.
 */
export function resolvePath(tree: FileTree, path: string, followLast = true): ResolvedPath {
  let rest = path.split("/").filter((part) => part !== "" && part !== ".");
  let done: string[] = [];
  let entry = tree.entry("");
  for (let links = 0; rest.length > 0;) {
    const [name = "", ...tail] = rest;
    rest = tail;
    if (name === "..") {
      done.pop();
      entry = tree.entry(done.join("/"));
      continue;
    }
    const here = [...done, name].join("/");
    entry = entry === null || entry.kind !== "directory" ? null : tree.entry(here);
    if (entry?.kind === "symlink" && (rest.length > 0 || followLast)) {
      if (++links > MOST_LINKS)
        throw new TeuError({
          code: "invalid",
          op: "resolve path",
          subject: path,
          message: `more than ${MOST_LINKS} symlinks`,
        });
      const target = tree.readLink(here);
      if (target.startsWith("/")) done = [];
      rest = [...target.split("/").filter((part) => part !== "" && part !== "."), ...rest];
      entry = tree.entry(done.join("/"));
    } else done.push(name);
  }
  return { path: done.join("/"), entry };
}

/** Paths that match a pattern of Go's filepath.Match, segment by segment, sorted; symlinks are not walked through. */
export function globPaths(tree: FileTree, pattern: string): string[] {
  let found = [""];
  for (const segment of pattern.split("/")) {
    const matches = isPattern(segment) || segment.includes("\\") ? compilePattern(segment) : null;
    found = found.flatMap((directory) => {
      if (tree.entry(directory)?.kind !== "directory") return [];
      if (matches === null)
        return tree.entry(joinPath(directory, segment)) === null ? [] : [joinPath(directory, segment)];
      return tree
        .names(directory)
        .filter(matches)
        .map((name) => joinPath(directory, name));
    });
  }
  return found;
}

/** Everything below a directory, parents first, names sorted. The directory itself is not listed. */
export function* walkTree(tree: FileTree, directory: string): Generator<{ path: string; entry: TreeEntry }> {
  for (const name of tree.names(directory)) {
    const path = joinPath(directory, name);
    const entry = tree.entry(path);
    // Gone between the listing and now: as if it had never been there.
    if (entry === null) continue;
    yield { path, entry };
    if (entry.kind === "directory") yield* walkTree(tree, path);
  }
}
