// LABEL name=value ... | name value

import { type InstructionLine, noFlags, readPairs } from "../instruction-line.ts";
import type { PairsInstruction } from "./instruction.ts";

/** @throws TeuError `invalid`. */
export function parseLabel(line: InstructionLine): PairsInstruction {
  noFlags(line);
  return { kind: "label", at: line.at, text: line.text, pairs: readPairs(line) };
}
