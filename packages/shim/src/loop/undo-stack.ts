// What was done and how to take it back, last first. One stack serves both ends of a container's life: a failed start and a
// finished one leave the host through the same steps.
// portable: no host types here.

import { errorText } from "@teu/base/errors";
import type { Task } from "./task.ts";

/** Steps to take back. Each is run once, whatever the others do. */
export class UndoStack {
  #steps: { readonly what: string; readonly undo: () => Task<void> }[] = [];

  /** Adds a step; `what` completes "cannot ...": "unmount the root file system". */
  push(what: string, undo: () => Task<void>): void {
    this.#steps.push({ what, undo });
  }

  /** A step that does not wait. */
  pushNow(what: string, undo: () => void): void {
    // oxlint-disable-next-line require-yield -- a task that never waits
    this.push(what, function* () {
      undo();
    });
  }

  /** Takes everything back, last first; returns what failed, in words. Never throws. */
  *run(): Task<string[]> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        yield* step.undo();
      } catch (error) {
        failures.push(`cannot ${step.what}: ${errorText(error)}`);
      }
    }
    return failures;
  }
}
