// ONBUILD instruction: kept in the image; runs right after the FROM of builds that stand on it.

import { type InstructionLine, noFlags, requireRest } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { OnbuildInstruction } from "./instruction.ts";

const REFUSED = ["ONBUILD", "FROM", "MAINTAINER"];

/** @throws TeuError `invalid` for a trigger that cannot be one; `unsupported` for one with a here-document. */
export function parseOnbuild(line: InstructionLine): OnbuildInstruction {
  noFlags(line);
  const trigger = requireRest(line, "an instruction");
  const keyword = (trigger.split(/\s/)[0] ?? "").toUpperCase();
  if (REFUSED.includes(keyword)) throw dockerfileError(line.at, `${keyword} cannot be a trigger of ONBUILD`);
  if (line.heredocs.length > 0) {
    throw dockerfileError(line.at, "here-documents in ONBUILD are not supported", {
      code: "unsupported",
      hint: "copy a file instead",
    });
  }
  return { kind: "onbuild", at: line.at, text: line.text, trigger };
}
