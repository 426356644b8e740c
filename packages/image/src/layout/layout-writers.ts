// Who is at work in a layout directory: writers together, a removal alone. A writer's blobs are there before the index names them, and
// what it finds there it does not write again: to a removal they would look as if nobody needed them.

import { unlink } from "node:fs/promises";
import { join } from "node:path";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";

import { removeIngest } from "./layout-directory.ts";
import { finishRemoval, isUnfinished } from "./remove-entries.ts";

/** The lock file; it and its directory are there while somebody works. */
const LOCK_FILE = "ingest/writers";

/** Holds removals off until it is disposed, and does first what a removal that was killed left to do. */
export async function joinWriters(scope: Scope, directory: string): Promise<AsyncDisposable> {
  if (await isUnfinished(directory)) {
    using alone = await locked(directory, () => FileLock.tryAcquire(join(directory, LOCK_FILE)));
    if (alone !== null) await finishRemoval(scope, directory);
  }
  return held(directory, await lock(scope, directory, true));
}

/** Waits until nobody writes, and holds writers off until it is disposed. */
export async function excludeWriters(scope: Scope, directory: string): Promise<AsyncDisposable> {
  return held(directory, await lock(scope, directory, false));
}

function lock(scope: Scope, directory: string, shared: boolean): Promise<FileLock> {
  return locked(directory, () => FileLock.acquire(scope, join(directory, LOCK_FILE), { shared }));
}

function held(directory: string, own: FileLock): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      own[Symbol.dispose]();
      await removeLock(directory);
      await removeIngest(directory);
    },
  };
}

/** The last one takes the file away. */
async function removeLock(directory: string): Promise<void> {
  try {
    using last = FileLock.tryAcquire(join(directory, LOCK_FILE));
    if (last !== null) await unlink(last.path);
  } catch (error) {
    // Somebody else was the last one, and took the directory away, too.
    if (!isTeuError(error, "not-found")) throw error;
  }
}

/** Takes the lock in a directory that others remove when it is empty. */
async function locked<T>(directory: string, take: () => T | Promise<T>): Promise<T> {
  for (;;) {
    makeDirectory(join(directory, "ingest"), 0o700);
    try {
      return await take();
    } catch (error) {
      if (!isTeuError(error, "not-found")) throw error;
    }
  }
}
