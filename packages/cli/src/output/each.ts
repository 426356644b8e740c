// Verbs that take several names: each is tried, successes are printed, failures too, and the exit code says whether any failed.

import type { CommandContext } from "../command.ts";
import { printError } from "./print-error.ts";

/** Does `act` for every name in order; what it returns is printed. Exit code 1 when any failed. */
export async function forEachName(
  context: CommandContext,
  names: readonly string[],
  act: (name: string) => Promise<string>,
): Promise<number> {
  let failed = false;
  for (const name of names) {
    try {
      context.print(await act(name));
    } catch (error) {
      if (context.scope.signal.aborted) throw error;
      printError(context.io.stderr, error, context.debug);
      failed = true;
    }
  }
  return failed ? 1 : 0;
}
