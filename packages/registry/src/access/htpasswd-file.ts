// An htpasswd file that is read again when it changes. A change that cannot be understood is logged and the last good state goes
// on: half-saved files must not lock everybody out. Only the first reading fails.

import { readFile, stat } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { fileError, isErrno } from "../storage/file-error.ts";
import { parseHtpasswd, type PasswordHashes } from "./htpasswd.ts";

/** How long an answer may be behind the file. Milliseconds. */
const FRESH = 1000;
const SIZE_LIMIT = 16 << 20;

/** See the head of this file. Holds nothing open. */
export class HtpasswdFile {
  readonly path: string;
  #hashes: PasswordHashes;
  #stamp: string;
  #lookedAt: number;
  #looking: Promise<void> | undefined;

  private constructor(path: string, hashes: PasswordHashes, stamp: string, lookedAt: number) {
    this.path = path;
    this.#hashes = hashes;
    this.#stamp = stamp;
    this.#lookedAt = lookedAt;
  }

  /** Reads it for the first time. @throws TeuError `not-found`, `denied`, `invalid`, `exhausted`. */
  static async open(scope: Scope, path: string): Promise<HtpasswdFile> {
    scope.check("read passwords");
    const stamp = await stampOf(path);
    return new HtpasswdFile(path, await readHashes(path), stamp, scope.now());
  }

  /** What the file says now, or said a second ago. */
  async hashes(scope: Scope): Promise<PasswordHashes> {
    if (Math.abs(scope.now() - this.#lookedAt) >= FRESH) await (this.#looking ??= this.#look(scope));
    return this.#hashes;
  }

  async #look(scope: Scope): Promise<void> {
    try {
      const stamp = await stampOf(this.path);
      if (stamp === this.#stamp) return;
      // Also when it cannot be understood: one warning for each change.
      this.#stamp = stamp;
      this.#hashes = await readHashes(this.path);
      scope.log.info("passwords were read again", { file: this.path, users: this.#hashes.size });
    } catch (error) {
      scope.log.warn("passwords stay as they were", { error: String(error) });
    } finally {
      this.#lookedAt = scope.now();
      this.#looking = undefined;
    }
  }
}

// Changes with the file's content. Taken before reading: what changes meanwhile is seen the next time.
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

async function readHashes(path: string): Promise<PasswordHashes> {
  try {
    const { size } = await stat(path);
    if (size > SIZE_LIMIT) throw tooLarge(path, size);
    return parseHtpasswd(path, await readFile(path, "utf8"));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw fileError("read passwords", path, error);
    throw new TeuError({ code: "not-found", op: "read passwords", subject: path, message: "no such file" });
  }
}

function tooLarge(path: string, size: number): TeuError {
  const message = `${size} bytes, limit is ${SIZE_LIMIT}`;
  return new TeuError({ code: "exhausted", op: "read passwords", subject: path, message });
}
