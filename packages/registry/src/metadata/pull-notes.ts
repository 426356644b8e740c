// Times of pulls: noted in memory at every pull, written now and then, many at once, each manifest at most once in a step.

import type { Digest } from "@teu/image/digest";

import type { Database } from "./database.ts";
import { findRepository } from "./repository-rows.ts";
import { LEASE_STEP } from "./schema.ts";

/** More manifests than this are not waited for: they are written at once. */
const MOST = 10_000;

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

  /** Writes all notes. On a full disk they wait, as long as they are not too many. */
  flush(): void {
    if (this.#notes.size === 0) return;
    const written = this.#db.quickNote(() => {
      for (const [key, at] of this.#notes) {
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
    if (written === true || this.#notes.size >= MOST) this.#notes.clear();
  }
}
