// MAINTAINER name: deprecated; becomes the image's author.

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import type { TextInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseMaintainer(line: InstructionLine): TextInstruction {
  noFlags(line);
  return { kind: "maintainer", at: line.at, text: line.text, value: requireRest(line, "a name") };
}
