// A directory for work that needs room. Its maker holds a lock in it; what killed ones left is removed by the next that is made
// below the same parent.

import { existsSync, lstatSync, rmdirSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";

import { isTeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";

import { fileError } from "./addon.ts";
import { FileLock } from "./file-lock.ts";
import { removeTree } from "./remove-tree.ts";

const LOCK = "lock";
/** What `mkdtemp` puts behind a prefix. */
const RANDOM = /^[A-Za-z0-9]{6}$/;
/** Gone with everything in it when disposed. `lock` in it is taken. */
export class TemporaryDirectory implements AsyncDisposable {
  readonly path: string;
  readonly #scope: Scope;
  readonly #lock: FileLock;

  private constructor(scope: Scope, path: string, lock: FileLock) {
    this.#scope = scope;
    this.path = path;
    this.#lock = lock;
  }

  /** Makes one; `prefix` says whose they are. @throws TeuError by errno. */
  static async make(scope: Scope, parent: string, prefix: string): Promise<TemporaryDirectory> {
    try {
      await sweep(scope, parent, prefix);
      for (;;) {
        const path = await mkdtemp(join(parent, prefix));
        const lock = lockIn(path);
        // Null: a sweep of another process saw it before it was locked.
        if (lock !== null) return new TemporaryDirectory(scope, path, lock);
      }
    } catch (error) {
      throw fileError("make temporary directory", parent, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#lock;
    await removeTree(cleanupScope(this.#scope, REMOVAL_PATIENCE), this.path);
  }
}

function lockIn(directory: string): FileLock | null {
  try {
    return FileLock.tryAcquire(join(directory, LOCK));
  } catch (error) {
    if (isTeuError(error, "not-found")) return null;
    throw error;
  }
}

async function sweep(scope: Scope, parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix) || !RANDOM.test(name.slice(prefix.length))) continue;
    const path = join(parent, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    // The parent is often everybody's: what others made there, and links, are not touched.
    if (found?.isDirectory() !== true || found.uid !== process.geteuid?.()) continue;
    // Killed before it had made its lock; or about to make it, and then it makes another directory.
    if (!existsSync(join(path, LOCK))) {
      removeEmpty(path);
      continue;
    }
    using lock = lockIn(path);
    if (lock !== null) await removeTree(scope, path);
  }
}

/** What holds something is somebody's. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
  }
}
