// What directories of snapshots need beyond one call of node:fs: scratch names, use of disk; attributes of a root.

import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { removeTree } from "@teu/files/remove-tree";

import { selfOwner } from "../store/owner.ts";
import { randomHex } from "../store/random.ts";
import type { Usage } from "./snapshots.ts";

/** Ends the names of what was moved away: rubbish, whoever's it is. */
export const GONE = ".gone";

/** A fresh name below `tmp` that tells whose it is, so that a sweep spares the living. Not made yet. */
export function scratchPath(tmp: string): string {
  return join(tmp, `${encodeURIComponent(selfOwner())}-${randomHex(6)}`);
}

/** The owner that `scratchPath` wrote into a name. */
export function scratchOwner(name: string): string {
  return decodeURIComponent(name.slice(0, name.lastIndexOf("-")));
}

/** Makes `directory` with the mode and owner of `like`: overlayfs shows the root of the topmost directory. */
export function makeLike(directory: string, like: string | undefined): void {
  mkdirSync(directory, { mode: 0o755 });
  if (like === undefined) return;
  const stats = statSync(like);
  chownSync(directory, stats.uid, stats.gid);
  chmodSync(directory, stats.mode & 0o7777);
}

/** Moves a directory out of sight at once; removing what it holds can then take its time. Null when it is not there. */
export function moveAway(directory: string, tmp: string): string | null {
  const to = `${scratchPath(tmp)}${GONE}`;
  try {
    renameSync(directory, to);
    return to;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Removes what `moveAway` moved; another process may be sweeping it at the same time. */
export async function removeMoved(scope: Scope, path: string): Promise<void> {
  try {
    await removeTree(scope, path);
  } catch (error) {
    if (!isTeuError(error, "not-found")) throw error;
  }
}

/** What a tree takes on disk; hard-linked files count once. */
export function directoryUsage(directory: string): Usage {
  let bytes = 0;
  let inodes = 0;
  const linked = new Set<string>();
  const pending = [directory];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stats = statsOf(path);
    if (stats === null || (stats.nlink > 1 && !stats.isDirectory() && seen(linked, stats))) continue;
    bytes += stats.blocks * 512;
    inodes++;
    if (stats.isDirectory()) for (const name of namesIn(path)) pending.push(join(path, name));
  }
  return { bytes, inodes };
}

function seen(linked: Set<string>, stats: Stats): boolean {
  const key = `${stats.dev}:${stats.ino}`;
  if (linked.has(key)) return true;
  linked.add(key);
  return false;
}

// A running container changes its upper directory while it is counted: what vanished counts nothing.
function statsOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
