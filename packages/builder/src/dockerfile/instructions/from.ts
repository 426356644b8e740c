// FROM [--platform=P] image [AS name]

import { dockerfileError } from "../location.ts";
import { type InstructionLine, readFlags } from "../instruction-line.ts";
import type { FromInstruction } from "./instruction.ts";

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

/** @throws TeuError `invalid` for a wrong number of words or a stage name that cannot be one. */
export function parseFrom(line: InstructionLine): FromInstruction {
  const flags = readFlags(line, { platform: "value" });
  const words = line.rest.split(/\s+/).filter((word) => word !== "");
  const [image, as, name] = words;
  if (image === undefined || (words.length !== 1 && (words.length !== 3 || as?.toLowerCase() !== "as"))) {
    throw dockerfileError(line.at, "FROM takes one image and an optional name", {
      hint: "write FROM image or FROM image AS name",
    });
  }
  const stage = name?.toLowerCase();
  if (stage !== undefined && !STAGE_NAME.test(stage)) {
    throw dockerfileError(line.at, `${JSON.stringify(name)} cannot name a stage`, {
      hint: 'a stage name begins with a letter and goes on with letters, digits, "-", "_" and "."',
    });
  }
  const platform = flags.value("platform");
  return {
    kind: "from",
    at: line.at,
    text: line.text,
    image,
    ...(platform === undefined ? {} : { platform }),
    ...(stage === undefined ? {} : { stage }),
  };
}
