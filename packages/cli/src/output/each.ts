// Verbs that take several names: each is tried, successes are printed, failures too, and the exit code says whether any failed.

import type { CommandContext } from "../command.ts";
import { printError } from "./print-error.ts";

/**
 * Does `act` for every name in order; what it returns is printed, or, with `json`, all of it at the end as one object under that key.
 * Exit code 1 when any failed.
 */
export async function forEachName(
  context: CommandContext,
  names: readonly string[],
  act: (name: string) => Promise<string>,
  json?: string,
): Promise<number> {
  const done: string[] = [];
  let failed = false;
  for (const name of names) {
    try {
      const outcome = await act(name);
      if (json === undefined) context.print(outcome);
      else done.push(...outcome.split("\n"));
    } catch (error) {
      if (context.scope.signal.aborted) throw error;
      printError(context.io.stderr, error, context.debug, json !== undefined);
      failed = true;
    }
  }
  if (json !== undefined) context.print(JSON.stringify({ [json]: done }));
  return failed ? 1 : 0;
}
