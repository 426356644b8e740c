// Times of a clock that ran ahead and was set right again. Left as they are, what they belong to would not grow old until the clock
// is there once more: for a day, or for years.

import type { Database } from "./database.ts";
import { LEASE_STEP } from "./schema.ts";

/** By what things grow old; there is an index of each. */
const TIMES = [
  ["upload", "used_at"],
  ["repository_blob", "used_at"],
  ["blob", "orphaned_at"],
  ["repository_manifest", "deleted_at"],
] as const;

/** Times well beyond `now` become `now`: from then on these things grow old. Returns how many. Within a transaction. */
export function endFuture(db: Database, now: number): number {
  let changed = 0;
  for (const [table, column] of TIMES)
    changed += db.run(`UPDATE ${table} SET ${column} = ? WHERE ${column} > ?`, now, now + LEASE_STEP);
  return changed;
}
