// The bundle's entry: the shim on the real kernel.
// portable: runs in QuickJS only.

import { realKernel } from "@teu/sys/real";
import { runShim } from "./program.ts";

/** Runs the shim for this process's arguments; the exit code. */
export function main(): number {
  return runShim(realKernel, realKernel.process.args());
}
