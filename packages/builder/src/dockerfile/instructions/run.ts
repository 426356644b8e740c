// RUN [--mount=...] [--network=default|none|host] command | here-documents

import { heredocHead } from "../heredoc.ts";
import { type InstructionLine, readCommand, readFlags } from "../instruction-line.ts";
import { dockerfileError } from "../location.ts";
import type { RunInstruction } from "./instruction.ts";

/** @throws TeuError `invalid` without a command; `unsupported` for --security=insecure and --device. */
export function parseRun(line: InstructionLine): RunInstruction {
  const flags = readFlags(line, { mount: "list", network: "value", security: "value", device: "list" });
  if (line.rest === "") throw dockerfileError(line.at, "RUN needs a command");
  const network = flags.value("network");
  if (network !== undefined && network !== "default" && network !== "none" && network !== "host") {
    throw dockerfileError(line.at, `network ${JSON.stringify(network)} is not possible`, {
      hint: "use default, none or host",
    });
  }
  const security = flags.value("security");
  if (security !== undefined && security !== "sandbox") {
    throw dockerfileError(line.at, `RUN --security=${security} is not supported`, {
      code: "unsupported",
      hint: "leave the flag away",
    });
  }
  if (flags.list("device").length > 0) {
    throw dockerfileError(line.at, "RUN --device is not supported", {
      code: "unsupported",
      hint: "leave the flag away",
    });
  }
  // With a here-document in front, "[" would be its text's business.
  const command =
    heredocHead(line.rest.split(/\s/)[0] ?? "") === null
      ? readCommand(line)
      : { kind: "shell" as const, text: line.rest };
  return {
    kind: "run",
    at: line.at,
    text: line.text,
    command,
    heredocs: line.heredocs,
    mounts: flags.list("mount"),
    ...(network === undefined ? {} : { network }),
  };
}
