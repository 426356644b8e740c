// EXPOSE port[-port][/protocol] ...

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import type { ListInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseExpose(line: InstructionLine): ListInstruction {
  noFlags(line);
  return { kind: "expose", at: line.at, text: line.text, values: requireRest(line, "at least one port").split(/\s+/) };
}
