// Times of pulls: noted in memory at every pull, written now and then, many at once, each manifest at most once in a lease step.

import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { findRepository } from "./repository-rows.ts";
import { LEASE_STEP } from "./schema.ts";

/** With more manifests than this, the oldest notes are written. */
const MOST = 10_000;
/** Notes written in one transaction, which takes a few milliseconds: requests wait for it. */
const STEP = 200;

/** Pulls that are not written yet. */
export class PullNotes {
  readonly #notes: Map<string, number> = new Map();
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Notes one pull. */
  note(repository: string, digest: Digest, now: number): void {
    // Neither has a space in it.
    this.#notes.set(`${repository} ${digest}`, now);
    if (this.#notes.size >= MOST) this.flush();
  }

  /**
   * Writes the oldest notes; whether there are more to write. On a full disk they wait, as long as they are not too many: then the
   * oldest are dropped.
   */
  flush(): boolean {
    const notes = [...this.#notes.entries().take(STEP)];
    if (notes.length === 0) return false;
    const written = this.#db.quickNote(() => {
      for (const [key, at] of notes) {
        const space = key.indexOf(" ");
        this.#db.run(
          `UPDATE repository_manifest SET pulled_at = ? WHERE repository_id = ? AND digest = ?
             AND (pulled_at IS NULL OR pulled_at < ?)`,
          at,
          findRepository(this.#db, key.slice(0, space)),
          key.slice(space + 1),
          at - LEASE_STEP,
        );
      }
      return true;
    });
    if (written === true || this.#notes.size >= MOST) for (const [key] of notes) this.#notes.delete(key);
    return written === true && this.#notes.size > 0;
  }

  /** Writes all notes. */
  flushAll(): void {
    while (this.flush());
  }
}
