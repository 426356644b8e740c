// COPY [--from=] [--chown=] [--chmod=] [--link] [--parents] [--exclude=] source... destination

import { type InstructionLine, readFlags } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import { filePaths } from "./file-paths.ts";
import type { FilesInstruction } from "./instruction.ts";

/** @throws TeuError `invalid`, also for a variable in --from, as BuildKit does. */
export function parseCopy(line: InstructionLine): FilesInstruction {
  const flags = readFlags(line, {
    from: "value",
    chown: "value",
    chmod: "value",
    link: "boolean",
    parents: "boolean",
    exclude: "list",
  });
  const from = flags.value("from");
  if (from?.includes("$")) {
    throw dockerfileError(line.at, "variables are not expanded in COPY --from", {
      hint: "name a stage: FROM ${VARIABLE} AS name, then COPY --from=name",
    });
  }
  const chown = flags.value("chown");
  const chmod = flags.value("chmod");
  return {
    kind: "copy",
    at: line.at,
    text: line.text,
    ...filePaths(line),
    link: flags.boolean("link"),
    parents: flags.boolean("parents"),
    exclude: flags.list("exclude"),
    ...(from === undefined ? {} : { from }),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
  };
}
