// What a command is, and what it is given.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import type { Flag, FlagValues } from "./flags.ts";
import type { Log } from "./log.ts";

/** Who makes cgroups: this program, systemd on request, or nobody (crun's names). */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** The global flags, resolved. */
export interface Context {
  readonly kernel: Kernel;
  /** Absolute --root. */
  readonly root: string;
  readonly log: Log;
  readonly cgroupManager: CgroupManager;
  /** `--rootless`; null: auto. */
  readonly rootless: boolean | null;
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
