// Room on the disk: pushes are refused before it is full. Deleting and collecting write to the index, too: a disk without any room
// could never be emptied by the registry itself.

import { randomBytes } from "node:crypto";
import { existsSync, statfsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";

import { isErrno } from "./file-error.ts";

/** Room that pushes do not get: so much, or this part of a small disk. */
const RESERVE = 64 << 20;
const PART = 8;
/** Bytes that may be written before the disk is asked again, and for how long an answer holds (milliseconds): others write as well. */
const STEP = 16 << 20;
const HOLDS = 1000;

/** Room for cleaning that nobody else on this disk gets: so much, or this part of a small disk. */
const BALLAST = 8 << 20;
const BALLAST_PART = 32;

/** How a disk is: bytes. */
export interface DiskState {
  readonly size: number;
  readonly free: number;
}

/** Keeps count for all uploads below one root. */
export class DiskRoom {
  readonly #look: () => DiskState;
  readonly #elapsed: () => number;
  #granted = 0;
  #until = -1;

  /** `look` asks the disk, `elapsed` is a clock. */
  constructor(look: () => DiskState, elapsed: () => number = () => performance.now()) {
    this.#look = look;
    this.#elapsed = elapsed;
  }

  /** The disk that `directory` is on. */
  static of(directory: string): DiskRoom {
    return new DiskRoom(() => stateOf(directory));
  }

  /** Takes room for so many bytes. @throws TeuError `exhausted`. */
  take(bytes: number): void {
    const now = this.#elapsed();
    if (bytes > this.#granted || now > this.#until) this.#grant(bytes, now);
    this.#granted -= bytes;
  }

  #grant(bytes: number, now: number): void {
    const { size, free } = this.#look();
    const reserve = Math.min(RESERVE, Math.floor(size / PART));
    const room = free - reserve;
    if (bytes > room) {
      throw new TeuError({
        code: "exhausted",
        op: "store content",
        message: `the disk has ${free} free bytes, and ${reserve} of them are kept for deleting and collecting`,
        hint: "free some space: delete images, then collect with a short grace time",
      });
    }
    this.#granted = Math.max(bytes, Math.min(STEP, room));
    this.#until = now + HOLDS;
  }
}

/** Removes the ballast when there is no more room than it takes. */
export async function dropBallast(directory: string, file: string): Promise<void> {
  const { size, free } = stateOf(directory);
  if (free < ballastOf(size)) await rm(file, { force: true });
}

/** Lays the ballast down, unless it is there or the disk is nearly full. */
export async function layBallast(directory: string, file: string): Promise<void> {
  const { size, free } = stateOf(directory);
  const length = ballastOf(size);
  if (existsSync(file) || free < 4 * length) return;
  try {
    // Nothing that a file system could store in less.
    await writeFile(file, randomBytes(length), { mode: 0o600 });
  } catch (error) {
    await rm(file, { force: true });
    if (!isErrno(error, "ENOSPC") && !isErrno(error, "EDQUOT")) throw error;
  }
}

function ballastOf(size: number): number {
  return Math.min(BALLAST, Math.floor(size / BALLAST_PART));
}

function stateOf(directory: string): DiskState {
  const { bsize, blocks, bavail } = statfsSync(directory);
  return { size: blocks * bsize, free: bavail * bsize };
}
