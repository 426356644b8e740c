// Where unfinished uploads go on, so that a push that was killed is resumed by the next one. One small file per upload, locked while
// a process is at it; the location in it may be a signed address, so nobody else may read it. What cannot be kept is no failure: the
// upload then begins anew next time.

import { rmSync, statSync, unlinkSync } from "node:fs";
import { readdir, readFile, unlink } from "node:fs/promises";
import path from "node:path";
import { isTeuError } from "@teu/base/errors";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";
import { replaceFile } from "@teu/files/replace-file";
import { digestEncoded, digestOf } from "@teu/image/digest";
import { parseJson } from "@teu/specs/json";

/** One upload, held by this task until it is disposed. */
export interface UploadRecord extends Disposable {
  /** Where an earlier attempt may go on; null for none. */
  readonly location: string | null;
  /** Remembers where this attempt goes on. */
  note(location: string): Promise<void>;
  /** Nothing is left to go on with. */
  forget(): Promise<void>;
}

/** What is known of unfinished uploads. */
export interface UploadJournal {
  /** The record of an upload ("origin repository digest"); null when another task or process is at it. */
  claim(upload: string): Promise<UploadRecord | null>;
}

/** Registries forget sooner than this. Milliseconds. */
const LONGEST = 7 * 86_400_000;
const SIZE_LIMIT = 64 << 10;

/** Files in a directory, which is made when it is needed. */
export class DiskUploadJournal implements UploadJournal {
  readonly #directory: string;
  #swept = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async claim(upload: string): Promise<UploadRecord | null> {
    const file = path.join(this.#directory, digestEncoded(digestOf(upload)));
    try {
      makeDirectory(this.#directory, 0o700);
      if (!this.#swept) await this.#sweep(Date.now() - LONGEST);
      this.#swept = true;
      const lock = FileLock.tryAcquire(`${file}.lock`);
      return lock === null ? null : new DiskRecord(lock, file, upload, await readLocation(file, upload));
    } catch {
      // A read-only or full disk, or one that is not ours.
      return null;
    }
  }

  /** Forgets all uploads that nobody is at. @throws TeuError or the system's error when they cannot be removed. */
  async clear(): Promise<void> {
    await this.#sweep(Number.POSITIVE_INFINITY);
  }

  /** Forgets uploads noted before `oldest`; what has only a lock, or a note that its writer was killed at, goes in any case. */
  async #sweep(oldest: number): Promise<void> {
    for (const [upload, temporary] of uploadsOf(await namesIn(this.#directory))) {
      const file = path.join(this.#directory, upload);
      using lock = FileLock.tryAcquire(`${file}.lock`);
      if (lock === null) continue;
      for (const name of temporary) rmSync(path.join(this.#directory, name), { force: true });
      if ((statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= oldest) continue;
      rmSync(file, { force: true });
      rmSync(lock.path, { force: true });
    }
  }
}

class DiskRecord implements UploadRecord {
  readonly location: string | null;
  readonly #lock: FileLock;
  readonly #file: string;
  readonly #upload: string;
  #kept: boolean;

  constructor(lock: FileLock, file: string, upload: string, location: string | null) {
    this.#lock = lock;
    this.#file = file;
    this.#upload = upload;
    this.location = location;
    this.#kept = location !== null;
  }

  async note(location: string): Promise<void> {
    this.#kept = true;
    const text = JSON.stringify({ upload: this.#upload, location });
    await replaceFile(this.#file, text, { durable: false }).catch(() => {});
  }

  async forget(): Promise<void> {
    this.#kept = false;
    await unlink(this.#file).catch(() => {});
  }

  [Symbol.dispose](): void {
    using lock = this.#lock;
    // Removed while it is locked: whoever opened it meanwhile notices.
    if (!this.#kept) removeQuietly(lock.path);
  }
}

function removeQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // An empty lock file means nothing.
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The uploads that files of the directory belong to, with the names of files that were to become a note. */
function uploadsOf(names: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    const [, hidden, upload] = /^(\.?)([0-9a-f]{64})(?:\.|$)/.exec(name) ?? [];
    if (upload === undefined) continue;
    found.set(upload, [...(found.get(upload) ?? []), ...(hidden === "." ? [name] : [])]);
  }
  return found;
}

async function readLocation(file: string, upload: string): Promise<string | null> {
  try {
    const text = await readFile(file, "utf8");
    const value = parseJson(text, { document: "upload", maxLength: SIZE_LIMIT });
    if (typeof value !== "object" || value === null || !("upload" in value) || !("location" in value)) return null;
    return value.upload === upload && typeof value.location === "string" ? value.location : null;
  } catch (error) {
    if (isTeuError(error) || (error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
