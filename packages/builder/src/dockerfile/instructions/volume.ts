// VOLUME ["/path", ...] | /path ...

import { type InstructionLine, noFlags, readList, requireRest } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { ListInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` when empty. */
export function parseVolume(line: InstructionLine): ListInstruction {
  noFlags(line);
  requireRest(line, "at least one path");
  const values = readList(line);
  if (values.some((value) => value.trim() === "")) throw dockerfileError(line.at, "VOLUME has an empty path");
  return { kind: "volume", at: line.at, text: line.text, values };
}
