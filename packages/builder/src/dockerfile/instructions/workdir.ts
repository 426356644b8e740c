// WORKDIR path

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import type { TextInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseWorkdir(line: InstructionLine): TextInstruction {
  noFlags(line);
  return { kind: "workdir", at: line.at, text: line.text, value: requireRest(line, "a path") };
}
