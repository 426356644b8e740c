// USER name[:group]

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import type { TextInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseUser(line: InstructionLine): TextInstruction {
  noFlags(line);
  return { kind: "user", at: line.at, text: line.text, value: requireRest(line, "a user") };
}
