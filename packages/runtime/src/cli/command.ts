// What a command is, and what it is given.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import type { Flag, FlagValues } from "./flags.ts";
import type { Log } from "./log.ts";

/** The global flags, resolved. */
export interface Context {
  readonly kernel: Kernel;
  /** Absolute --root. */
  readonly root: string;
  readonly log: Log;
  readonly debug: boolean;
  readonly systemdCgroup: boolean;
}

/** One verb. */
export interface Command {
  readonly name: string;
  /** "ID [SIGNAL]" */
  readonly operands: string;
  readonly doc: string;
  readonly flags: readonly Flag[];
  readonly minOperands: number;
  readonly maxOperands: number;
  /** Returns the exit code. */
  run(context: Context, flags: FlagValues, operands: readonly string[]): number;
}
