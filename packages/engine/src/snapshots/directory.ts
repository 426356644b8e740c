// What directories of snapshots need beyond one call of node:fs: scratch names, use of disk; attributes of a root.

import { chmodSync, chownSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { errnoOf } from "@teu/files/addon";
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFDIR,
} from "@teu/files/constants";
import { readDir } from "@teu/files/entries";
import { openat2, openDirectory, OwnedFd } from "@teu/files/open";
import { removeTree } from "@teu/files/remove-tree";
import { fstat, isType, lookupAt, type Stat } from "@teu/files/stat";

import { selfOwner } from "../store/owner.ts";
import { randomHex } from "@teu/files/random";
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

/** Directories open at once; what lies deeper is not counted. */
const DEEPEST = 1024;
/** What a running container may have made of a directory since it was listed: then it counts nothing. */
const CHANGED: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EXDEV"]);

interface Level extends Disposable {
  readonly fd: number;
  readonly left: string[];
}

/**
 * What a tree takes on disk; hard-linked files count once. By descriptors: a running container changes its tree while it
 * is counted, and must not lead this elsewhere.
 */
export function directoryUsage(directory: string): Usage {
  const root = openDirectory(directory);
  const usage = { bytes: 0, inodes: 0 };
  const linked = new Set<string>();
  const levels: Level[] = [];
  count(usage, linked, fstat(root.fd));
  try {
    levels.push(levelOf(root));
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.left.pop();
      if (name === undefined) {
        levels.pop()?.[Symbol.dispose]();
        continue;
      }
      const stat = lookupAt(level.fd, name);
      if (stat === null) continue;
      count(usage, linked, stat);
      const below = isType(stat.mode, S_IFDIR) && levels.length < DEEPEST ? openBelow(level.fd, name) : null;
      if (below !== null) levels.push(levelOf(below));
    }
  } finally {
    for (const level of levels) level[Symbol.dispose]();
  }
  return usage;
}

function count(usage: { bytes: number; inodes: number }, linked: Set<string>, stat: Stat): void {
  if (stat.nlink > 1 && !isType(stat.mode, S_IFDIR)) {
    const key = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    if (linked.has(key)) return;
    linked.add(key);
  }
  usage.bytes += stat.blocks * 512;
  usage.inodes++;
}

function levelOf(directory: OwnedFd): Level {
  const left = readDir(directory.fd).map(({ name }) => name);
  return { fd: directory.fd, left, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

function openBelow(fd: number, name: string): OwnedFd | null {
  const inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  try {
    return new OwnedFd(openat2(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, inside));
  } catch (error) {
    if (CHANGED.has(errnoOf(error))) return null;
    throw error;
  }
}
