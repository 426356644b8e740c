// --explain: prints the kernel steps of a command instead of taking them.
// portable: no host types here.

import { verbatim } from "../failure.ts";
import type { Command, Context } from "./command.ts";
import type { FlagValues } from "./flags.ts";

/** Runs the command on a dry kernel and prints its transcript. */
export function explain(_context: Context, command: Command, _flags: FlagValues, _operands: readonly string[]): number {
  throw verbatim("unsupported", `--explain is not available for ${command.name}`);
}
