// Removes a directory tree of untrusted content: by descriptors, so that no symlink swapped in leads outside,
// and never into another mount.

import type { Scope } from "@teu/base/scope";

import { attempt, errnoOf } from "./addon.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_XDEV,
} from "./constants.ts";
import { DT_DIR, DT_UNKNOWN, readDir } from "./entries.ts";
import { closeFd, openat2 } from "./open.ts";

/** Entries removed before the event loop gets its turn. */
const BATCH = 500;

/**
 * Removes `path` and everything below, giving the event loop its turns; a missing path is fine.
 * @throws TeuError `conflict` or `invalid` when a mount is in the way, else by errno. What could be removed is gone then.
 */
export async function removeTree(scope: Scope, path: string): Promise<void> {
  for (const _ of removeSteps(AT_FDCWD, path, 0)) {
    await new Promise((resolve) => setImmediate(resolve));
    scope.check("remove tree");
  }
}

/** As `removeTree`, of the entry `name` below `dirfd`, in one go: for trees known to be small. */
export function removeTreeAt(dirfd: number, name: string): void {
  for (const _ of removeSteps(dirfd, name, RESOLVE_BENEATH | RESOLVE_NO_XDEV));
}

/** Removes one entry whatever it is; yields after each batch. */
function* removeSteps(dirfd: number, name: string, resolve: number): Generator<void> {
  if (unlinkOrSeeDirectory(dirfd, name)) return;
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const fd = openat2(dirfd, name, flags, 0, resolve);
  let count = 0;
  try {
    for (const entry of readDir(fd)) {
      if (++count % BATCH === 0) yield;
      const surelyFile = entry.type !== DT_DIR && entry.type !== DT_UNKNOWN;
      if (surelyFile) attempt("remove", entry.name, (addon) => addon.unlinkat(fd, entry.name, 0));
      else yield* removeSteps(fd, entry.name, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
    }
  } finally {
    closeFd(fd);
  }
  yield;
  attempt("remove", name, (addon) => addon.unlinkat(dirfd, name, AT_REMOVEDIR));
}

/** True when it is gone (or was never there); false when it is a directory. */
function unlinkOrSeeDirectory(dirfd: number, name: string): boolean {
  try {
    attempt("remove", name, (addon) => addon.unlinkat(dirfd, name, 0));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return true;
    if (errno === "EISDIR") return false;
    throw error;
  }
}
