// The program teu-runtime: the command line on the real kernel. Bundled and compiled for the host; see native/README.md.
// portable: no host types here.

import { realKernel } from "@teu/sys/real";
import { COMMANDS } from "./cli/commands.ts";
import { runProgram } from "./cli/program.ts";

/** Runs this process's command line; the exit code. */
export function main(): number {
  return runProgram(realKernel, realKernel.process.args(), COMMANDS);
}
