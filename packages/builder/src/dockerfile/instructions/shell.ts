// SHELL ["program", "argument", ...]

import { type InstructionLine, noFlags, readJsonArray } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { ListInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` for anything but a JSON array with at least one string. */
export function parseShell(line: InstructionLine): ListInstruction {
  noFlags(line);
  const values = readJsonArray(line, line.rest);
  if (values === null || values.length === 0) {
    throw dockerfileError(line.at, "SHELL needs a JSON array", { hint: 'write SHELL ["/bin/sh", "-c"]' });
  }
  return { kind: "shell", at: line.at, text: line.text, values };
}
