// Undoing after a failure.

import type { Scope } from "@teu/base/scope";

/** Runs one step of undoing. Its own failure is logged: it must never hide the error for which it is done. */
export async function undo(scope: Scope, what: string, step: () => Promise<void> | void): Promise<void> {
  try {
    await step();
  } catch (error) {
    scope.log.warn(`cannot ${what}`, { error });
  }
}
