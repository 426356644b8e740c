// A part of the program: only some commands, so that only they are loaded. The host guesses the part from the words of the command
// line; when it guessed wrong, the whole program takes over, which is in the same executable under another name.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { Command } from "./command.ts";
import { runProgram } from "./program.ts";

/** The name of the whole program, as the host has it (native/programs). */
export const WHOLE_PROGRAM = "teu-runtime-whole";

/** Runs this process's command line with these commands, and ends the process. */
export function runPart(kernel: Kernel, commands: readonly Command[]): never {
  return kernel.process.exit(runProgram(kernel, kernel.process.args(), commands, becomeWhole));
}

function becomeWhole({ process }: Kernel): never {
  return process.execveat(AT_FDCWD, "/proc/self/exe", [WHOLE_PROGRAM, ...process.args()], process.environ(), 0);
}
