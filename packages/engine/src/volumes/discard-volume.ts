// Removing a volume so that a kill at any moment leaves either all of it or rubbish that the next prune sweeps.

import { moveAway } from "../snapshots/directory.ts";
import type { Database } from "../store/database.ts";
import type { EnginePaths } from "../store/paths.ts";
import { deleteVolume } from "../store/volume-rows.ts";

/**
 * Moves the volume's directory to the scratch directory, then deletes its row; call inside a transaction, which keeps others from
 * making it anew meanwhile. Returns where the directory is now, for `removeMoved`; null when it had none.
 */
export function discardVolume(
  { db, paths }: { readonly db: Database; readonly paths: EnginePaths },
  name: string,
): string | null {
  const away = moveAway(paths.volume(name), paths.scratch);
  deleteVolume(db, name);
  return away;
}
