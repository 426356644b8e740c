// The program teu-explain: the command line on a kernel in memory that shows this host's files; prints each kernel step.
// portable: no host types here.

import { realKernel } from "@teu/sys/real";
import { explainProgram } from "./cli/explain-program.ts";

/** Explains this process's command line; the exit code. */
export function main(): number {
  return explainProgram(realKernel);
}
