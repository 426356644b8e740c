// ARG name[=default] ...

import { type InstructionLine, noFlags, quotedWords, requireRest } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { ArgInstruction } from "./instruction.ts";

/** @throws TeuError `invalid`. */
export function parseArg(line: InstructionLine): ArgInstruction {
  noFlags(line);
  const args = quotedWords(requireRest(line, "a name"), line.escape).map((word) => {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (name === "") throw dockerfileError(line.at, `the name is missing in ${JSON.stringify(word)}`);
    return equals < 0 ? { name } : { name, value: word.slice(equals + 1) };
  });
  return { kind: "arg", at: line.at, text: line.text, args };
}
