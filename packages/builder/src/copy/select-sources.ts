// Which entries a COPY or ADD brings and where they go: patterns, "contents of directories", --exclude, --parents, --chown, --chmod.
// Reads names and attributes only; nothing is written here.

import { TeuError } from "@teu/base/errors";
import type { CopyEntry } from "../context/content-digest.ts";
import {
  cleanPath,
  type FileTree,
  globPaths,
  joinPath,
  resolvePath,
  type TreeEntry,
  walkTree,
} from "../context/file-tree.ts";
import type { ModeChange } from "../context/file-mode.ts";
import { type IgnoreRules, parseIgnoreFile } from "../context/ignore-file.ts";
import { isPattern } from "../context/path-match.ts";
import type { Owner } from "../context/user-names.ts";

/** What was asked for. */
export interface SelectOptions {
  /** As written, expanded. */
  readonly sources: readonly string[];
  /** Ends with "/" (or is "." or ".."): files go into it. */
  readonly intoDirectory: boolean;
  readonly owner?: Owner;
  readonly mode?: ModeChange;
  readonly parents?: boolean;
  readonly exclude?: readonly string[];
}

/** One source with all that comes along. */
export interface SelectedSource {
  /** Canonical path in the tree. */
  readonly path: string;
  /** A symlink is followed: what it leads to. */
  readonly entry: TreeEntry;
  /** Name that a file keeps inside a destination directory. */
  readonly name: string;
  /** Entries with targets below the destination; the first is the source itself. */
  readonly entries: readonly CopyEntry[];
}

/**
 * Finds the sources in `tree`.
 * @throws TeuError `not-found` for a path (not a pattern) that matches nothing.
 */
export function selectSources(tree: FileTree, options: SelectOptions): SelectedSource[] {
  const excluded =
    options.exclude === undefined || options.exclude.length === 0 ? null : parseIgnoreFile(options.exclude.join("\n"));
  return options.sources.flatMap((source) =>
    options.parents === true
      ? selectWithParents(tree, source, options, excluded)
      : selectPlain(tree, source, options, excluded),
  );
}

function selectPlain(
  tree: FileTree,
  source: string,
  options: SelectOptions,
  excluded: IgnoreRules | null,
): SelectedSource[] {
  const clean = cleanPath(source);
  const paths = isPattern(clean) ? globPaths(tree, clean) : [clean];
  return paths.flatMap((path) => {
    const resolved = resolvePath(tree, path);
    if (resolved.entry === null) {
      if (isPattern(clean)) return [];
      throw notFound(tree, source, path);
    }
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (resolved.entry.kind !== "directory" && excluded?.ignores(name) === true) return [];
    return [selected(tree, resolved.path, resolved.entry, name, options, excluded)];
  });
}

/** --parents: the path behind the pivot "/./" (or the whole path) is kept below the destination. */
function selectWithParents(
  tree: FileTree,
  source: string,
  options: SelectOptions,
  excluded: IgnoreRules | null,
): SelectedSource[] {
  const pivot = source.indexOf("/./");
  const base = pivot < 0 ? "" : cleanPath(source.slice(0, pivot));
  const below = cleanPath(pivot < 0 ? source : source.slice(pivot + 3));
  const paths = below.includes("**")
    ? deepPaths(tree, base, below)
    : globPaths(tree, joinPath(base, below)).map((path) => path.slice(base === "" ? 0 : base.length + 1));
  if (paths.length === 0 && !isPattern(below)) throw notFound(tree, source, joinPath(base, below));
  return paths.flatMap((path) => {
    const resolved = resolvePath(tree, joinPath(base, path), false);
    if (resolved.entry === null || excluded?.ignores(path) === true) return [];
    const inner = selected(tree, resolved.path, resolved.entry, "", options, excluded);
    const parents = path
      .split("/")
      .slice(0, -1)
      .map((_, index, all) => all.slice(0, index + 1).join("/"));
    const entries: CopyEntry[] = parents.flatMap((parent) => {
      const entry = tree.entry(joinPath(base, parent));
      return entry === null ? [] : [{ source: joinPath(base, parent), target: parent, entry: changed(entry, options) }];
    });
    entries.push(
      ...inner.entries.map((entry) => ({ ...entry, target: entry.target === "" ? path : `${path}/${entry.target}` })),
    );
    return [{ ...inner, name: "", entries }];
  });
}

/** Paths below `base` that match a pattern with "**" segments. */
function deepPaths(tree: FileTree, base: string, pattern: string): string[] {
  const rules = parseIgnoreFile(pattern);
  const start = resolvePath(tree, base);
  if (start.entry?.kind !== "directory") return [];
  const found: string[] = [];
  for (const { path } of walkTree(tree, start.path)) {
    const relative = start.path === "" ? path : path.slice(start.path.length + 1);
    if (rules.ignores(relative) && !found.some((known) => relative.startsWith(`${known}/`))) found.push(relative);
  }
  return found;
}

function selected(
  tree: FileTree,
  path: string,
  entry: TreeEntry,
  name: string,
  options: SelectOptions,
  excluded: IgnoreRules | null,
): SelectedSource {
  const entries: CopyEntry[] = [{ source: path, target: "", entry: changed(entry, options) }];
  if (entry.kind === "directory") {
    for (const below of walkTree(tree, path)) {
      const target = path === "" ? below.path : below.path.slice(path.length + 1);
      if (excluded?.ignores(target) === true && (excluded.prunable || below.entry.kind !== "directory")) continue;
      entries.push({ source: below.path, target, entry: changed(below.entry, options) });
    }
  }
  return { path, entry, name, entries };
}

function changed(entry: TreeEntry, { owner, mode }: SelectOptions): TreeEntry {
  return {
    ...entry,
    ...(owner === undefined ? {} : owner),
    // Symlinks have no mode of their own.
    mode: mode === undefined || entry.kind === "symlink" ? entry.mode : mode(entry.mode, entry.kind === "directory"),
  };
}

function notFound(tree: FileTree, source: string, path: string): TeuError {
  const leftOut = tree.isLeftOut?.(path) ?? false;
  return new TeuError({
    code: "not-found",
    op: "copy",
    subject: source,
    message: leftOut ? "it is left out by .dockerignore" : "no such file or directory",
    hint: leftOut
      ? "remove or negate the rule in the ignore file"
      : "paths are relative to the root of the context (or of the stage after --from)",
  });
}
