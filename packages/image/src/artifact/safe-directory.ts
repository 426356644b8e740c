// A directory that files are put into by names from outside: every step goes by descriptor and follows no symlink, also none that
// somebody makes meanwhile. Files come whole, by rename.

import { isTeuError, TeuError } from "@teu/base/errors";
import { fileError } from "@teu/files/addon";
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_PATH,
  RENAME_NOREPLACE,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFDIR,
} from "@teu/files/constants";
import { linkAt, mkdirAt, renameAt, unlinkAt } from "@teu/files/entries";
import { makeDirectory } from "@teu/files/make-directory";
import { openat2, openDirectory, OwnedFd } from "@teu/files/open";
import { isType, lookupAt, type Stat } from "@teu/files/stat";

const OP = "write file";
const INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/** See the head of this file. */
export class SafeDirectory implements Disposable {
  readonly path: string;
  readonly #root: OwnedFd;

  private constructor(path: string, root: OwnedFd) {
    this.path = path;
    this.#root = root;
  }

  /** Opens a directory, made when missing. Its own path is trusted. */
  static open(path: string): SafeDirectory {
    try {
      makeDirectory(path, 0o777);
    } catch (error) {
      throw fileError("make directory", path, error);
    }
    return new SafeDirectory(path, openDirectory(path));
  }

  /** Fails unless a file may be put there. @throws TeuError `already-exists`, `conflict`. */
  checkFile(parts: readonly string[], overwrite: boolean): void {
    const found = this.#lookup(parts);
    if (found === null || (overwrite && !isType(found.mode, S_IFDIR))) return;
    throw this.#inTheWay(parts, isType(found.mode, S_IFDIR));
  }

  /** Fails unless a directory is or may be made there. @throws TeuError `conflict`. */
  checkDirectory(parts: readonly string[]): void {
    const found = parts.length === 0 ? null : this.#lookup(parts);
    if (found !== null && !isType(found.mode, S_IFDIR)) throw this.#noDirectory(parts);
  }

  /** Moves a finished file (or symlink) of the same file system to its place; a symlink that is there is replaced, not followed. */
  put(from: string, parts: readonly string[], overwrite: boolean): void {
    using parent = this.#directory(parts.slice(0, -1));
    const name = parts.at(-1) ?? "";
    try {
      if (overwrite) renameAt(AT_FDCWD, from, parent.fd, name);
      else moveNew(from, parent.fd, name);
    } catch (error) {
      if (isTeuError(error, "already-exists")) throw this.#inTheWay(parts, false);
      throw error;
    }
  }

  /** Makes a directory with its parents. */
  makeDirectory(parts: readonly string[]): void {
    using _ = this.#directory(parts);
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  #directory(parts: readonly string[]): OwnedFd {
    let at = new OwnedFd(openat2(this.#root.fd, ".", O_PATH | O_DIRECTORY, 0, INSIDE));
    for (const [index, part] of parts.entries()) {
      using above = at;
      try {
        at = new OwnedFd(openOrMake(above.fd, part));
      } catch (error) {
        if (isTeuError(error, "invalid") || isTeuError(error, "conflict"))
          throw this.#noDirectory(parts.slice(0, index + 1), error);
        throw error;
      }
    }
    return at;
  }

  #lookup(parts: readonly string[]): Stat | null {
    const above = parts.slice(0, -1);
    try {
      using parent = new OwnedFd(
        openat2(this.#root.fd, above.length === 0 ? "." : above.join("/"), O_PATH | O_DIRECTORY, 0, INSIDE),
      );
      return lookupAt(parent.fd, parts.at(-1) ?? ".");
    } catch (error) {
      if (isTeuError(error, "not-found")) return null;
      if (isTeuError(error, "invalid") || isTeuError(error, "conflict")) throw this.#noDirectory(above, error);
      throw error;
    }
  }

  #inTheWay(parts: readonly string[], isDirectory: boolean): TeuError {
    return new TeuError({
      code: isDirectory ? "conflict" : "already-exists",
      op: OP,
      subject: `${this.path}/${parts.join("/")}`,
      message: isDirectory ? "a directory is in its place" : "there is such a file already",
      hint: isDirectory ? "name another directory" : "use --overwrite, or name another directory",
    });
  }

  #noDirectory(parts: readonly string[], cause?: TeuError): TeuError {
    return new TeuError({
      code: "conflict",
      op: OP,
      subject: `${this.path}/${parts.join("/")}`,
      message: "it is no directory, and symlinks are not followed",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function openOrMake(fd: number, part: string): number {
  try {
    return openat2(fd, part, O_PATH | O_DIRECTORY, 0, INSIDE);
  } catch (error) {
    if (!isTeuError(error, "not-found")) throw error;
  }
  try {
    mkdirAt(fd, part);
  } catch (error) {
    // Somebody else was quicker; what it is shows below.
    if (!isTeuError(error, "already-exists")) throw error;
  }
  return openat2(fd, part, O_PATH | O_DIRECTORY, 0, INSIDE);
}

function moveNew(from: string, toFd: number, name: string): void {
  try {
    renameAt(AT_FDCWD, from, toFd, name, RENAME_NOREPLACE);
  } catch (error) {
    // Network file systems do not know the flag.
    if (!isTeuError(error, "invalid") && !isTeuError(error, "unsupported")) throw error;
    linkAt(AT_FDCWD, from, toFd, name);
    unlinkAt(AT_FDCWD, from);
  }
}
