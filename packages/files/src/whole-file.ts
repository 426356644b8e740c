// A file that a user named and that takes long to write: it has no name before it is whole, so that a kill leaves nothing beside
// the target. Where the file system has no nameless files it is hidden beside the target, locked by its writer; what a killed
// one left goes when somebody writes to the same target again.

import { constants, existsSync } from "node:fs";
import { type FileHandle, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { isTeuError } from "@teu/base/errors";

import { errnoOf, fileError } from "./addon.ts";
import { AT_FDCWD, AT_SYMLINK_FOLLOW, O_TMPFILE } from "./constants.ts";
import { linkAt } from "./entries.ts";
import { FileLock, tryLockFd } from "./file-lock.ts";
import { syncDirectory } from "./replace-file.ts";
import { fstat, lookupAt } from "./stat.ts";
import { randomHex } from "./random.ts";

/** A file system without nameless files; EISDIR: a kernel that does not know them. */
const NO_TMPFILE: ReadonlySet<string | undefined> = new Set(["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOENT"]);

/** How a file is made. */
export interface WholeFileOptions {
  /** Permissions, of which the umask takes its part. Default 0666. */
  readonly mode?: number;
  /** For tests: as on a file system without nameless files. */
  readonly named?: boolean;
}

/** See the head of this file. Disposing without `publish` leaves what was there before. */
export class WholeFile implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;
  /** Where it is for now; null: it has no name, or is no file that could be replaced. */
  #hidden: string | null;
  readonly #replaces: boolean;

  private constructor(path: string, handle: FileHandle, hidden: string | null, replaces: boolean) {
    this.#path = path;
    this.#handle = handle;
    this.#hidden = hidden;
    this.#replaces = replaces;
  }

  /**
   * Opens the file for writing. A device or fifo is written to as it is: replacing it would only lose it.
   * @throws TeuError by errno.
   */
  static async create(path: string, options: WholeFileOptions = {}): Promise<WholeFile> {
    const { mode = 0o666, named = false } = options;
    try {
      const found = await lookUp(path);
      if (found !== null && !found.isFile && !found.isDirectory)
        return new WholeFile(path, await open(path, "w"), null, false);
      // Through a symlink, as everybody writes.
      const target = found === null ? path : await realpath(path);
      // The system says why not.
      if (found?.isDirectory === true) await open(target, "w");
      await sweep(target);
      const handle = named ? null : await openNameless(dirname(target), mode);
      if (handle !== null) return new WholeFile(target, handle, null, true);
      const hidden = await openHidden(target, mode);
      return new WholeFile(target, hidden.handle, hidden.path, true);
    } catch (error) {
      throw fileError("write", path, error);
    }
  }

  /** Appends all of it. @throws TeuError by errno. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      // Of a handle, writeFile goes on where the last one ended, and writes everything.
      if (bytes.length > 0) await this.#handle.writeFile(bytes);
    } catch (error) {
      throw fileError("write", this.#path, error);
    }
  }

  /** Lets it appear in place of what was there before, synced. @throws TeuError by errno. */
  async publish(): Promise<void> {
    if (!this.#replaces) return;
    try {
      await this.#handle.sync();
      if (this.#hidden === null && this.#link(this.#path)) return await syncDirectory(dirname(this.#path));
      if (this.#hidden === null) {
        // Taken: a link cannot replace, a rename can.
        this.#hidden = hiddenPath(this.#path);
        this.#link(this.#hidden);
      }
      await rename(this.#hidden, this.#path);
      this.#hidden = null;
      await syncDirectory(dirname(this.#path));
    } catch (error) {
      throw fileError("write", this.#path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hidden !== null) await rm(this.#hidden, { force: true });
    await this.#handle.close();
  }

  /** False when the name is taken. */
  #link(to: string): boolean {
    try {
      linkAt(AT_FDCWD, `/proc/self/fd/${this.#handle.fd}`, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
      return true;
    } catch (error) {
      if (isTeuError(error, "already-exists")) return false;
      throw error;
    }
  }
}

async function lookUp(path: string): Promise<{ isFile: boolean; isDirectory: boolean } | null> {
  try {
    const found = await stat(path);
    return { isFile: found.isFile(), isDirectory: found.isDirectory() };
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

/** Null where there are no nameless files, or no way to name one later. */
async function openNameless(directory: string, mode: number): Promise<FileHandle | null> {
  if (!existsSync("/proc/self/fd")) return null;
  let handle: FileHandle;
  try {
    handle = await open(directory, constants.O_WRONLY | O_TMPFILE, mode);
  } catch (error) {
    if (NO_TMPFILE.has((error as { code?: string }).code)) return null;
    throw error;
  }
  // For the moment in which it has a name that is not the wanted one.
  tryLockFd(handle.fd);
  return handle;
}

async function openHidden(target: string, mode: number): Promise<{ handle: FileHandle; path: string }> {
  for (;;) {
    const path = hiddenPath(target);
    const handle = await open(path, "wx", mode);
    // Not locked, or gone: a sweep saw it before it was locked.
    if (tryLockFd(handle.fd) && lookupAt(AT_FDCWD, path)?.ino === fstat(handle.fd).ino) return { handle, path };
    await handle.close();
  }
}

function hiddenPath(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomHex(6)}`);
}

/** Removes what killed writers left beside the target. */
async function sweep(target: string): Promise<void> {
  const prefix = `.${basename(target)}.`;
  for (const name of await readdir(dirname(target)).catch(() => [])) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{12}$/.test(name.slice(prefix.length))) continue;
    try {
      using lock = FileLock.tryAcquire(join(dirname(target), name));
      if (lock !== null) await rm(lock.path, { force: true });
    } catch (error) {
      // Somebody else's, in a directory of many: theirs to remove.
      if (errnoOf(error) !== "EACCES" && errnoOf(error) !== "EPERM") throw error;
    }
  }
}
