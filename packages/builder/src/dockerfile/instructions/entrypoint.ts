// ENTRYPOINT ["exec", "form"] | shell form

import { type InstructionLine, noFlags, readCommand } from "../instruction-line.ts";
import type { CommandInstruction } from "./instruction.ts";

/** An empty one takes away what was inherited. @throws TeuError `invalid`. */
export function parseEntrypoint(line: InstructionLine): CommandInstruction {
  noFlags(line);
  return {
    kind: "entrypoint",
    at: line.at,
    text: line.text,
    command: line.rest === "" ? { kind: "exec", args: [] } : readCommand(line),
  };
}
