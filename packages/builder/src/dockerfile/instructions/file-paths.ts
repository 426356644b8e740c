// Sources, here-documents and destination of COPY and ADD.

import { heredocHead } from "../heredoc.ts";
import { type InstructionLine, readList } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { FilesInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` without source or destination, or with a here-document as destination. */
export function filePaths(line: InstructionLine): Pick<FilesInstruction, "sources" | "heredocs" | "destination"> {
  const words = readList(line);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined) {
    throw dockerfileError(line.at, `${line.keyword} needs at least one source and a destination`);
  }
  if (heredocHead(destination) !== null) {
    throw dockerfileError(line.at, `${line.keyword} cannot have a here-document as destination`, {
      hint: "write the destination last",
    });
  }
  const sources = words.slice(0, -1).filter((word) => heredocHead(word) === null);
  return { sources, heredocs: line.heredocs, destination };
}
