// STOPSIGNAL signal

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import type { TextInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseStopsignal(line: InstructionLine): TextInstruction {
  noFlags(line);
  return { kind: "stopsignal", at: line.at, text: line.text, value: requireRest(line, "a signal") };
}
