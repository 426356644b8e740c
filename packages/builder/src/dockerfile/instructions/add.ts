// ADD [--chown=] [--chmod=] [--link] [--exclude=] [--unpack[=bool]] source... destination; sources are local files and archives.

import { type InstructionLine, readFlags } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import { filePaths } from "./file-paths.ts";
import type { FilesInstruction } from "./instruction.ts";

const REMOTE = /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@)|\.git(?:[#?].*)?$/;

/** @throws TeuError `invalid`; `unsupported` for sources that are not local. */
export function parseAdd(line: InstructionLine): FilesInstruction {
  const flags = readFlags(line, {
    chown: "value",
    chmod: "value",
    link: "boolean",
    exclude: "list",
    unpack: "boolean",
    checksum: "value",
    "keep-git-dir": "boolean",
  });
  const paths = filePaths(line);
  const remote = paths.sources.find((source) => REMOTE.test(source));
  if (remote !== undefined) {
    throw dockerfileError(line.at, `ADD from ${JSON.stringify(remote)} is not supported`, {
      code: "unsupported",
      hint: "fetch it in a RUN step, or put it into the context before",
    });
  }
  for (const name of ["checksum", "keep-git-dir"]) {
    if (flags.value(name) === undefined) continue;
    throw dockerfileError(line.at, `ADD --${name} is for remote sources, which are not supported`, {
      code: "unsupported",
    });
  }
  const chown = flags.value("chown");
  const chmod = flags.value("chmod");
  return {
    kind: "add",
    at: line.at,
    text: line.text,
    ...paths,
    link: flags.boolean("link"),
    parents: false,
    exclude: flags.list("exclude"),
    ...(flags.value("unpack") === undefined ? {} : { unpack: flags.boolean("unpack") }),
    ...(chown === undefined ? {} : { chown }),
    ...(chmod === undefined ? {} : { chmod }),
  };
}
