// export: a container's file system as a tar, to a file or to stdout.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { writeBytes } from "../output/write-bytes.ts";

/** `teu export`. */
export const command: Command = {
  usage: "export [OPTIONS] CONTAINER",
  summary: "Write a container's file system as a tar archive",
  description: "Volumes are not part of it. The container may run; what it changes meanwhile may be in it or not.",
  options: [{ long: "output", short: "o", value: "file", help: "Write to a file instead of stdout" }],
  bulk: true,
  args: [1, 1],
  examples: ["teu export -o web.tar web", "teu export web | teu import - web:snapshot"],
  run: async (context, input) => {
    const output = input.text("output");
    if (output === undefined && context.io.stdout.isTTY)
      throw usageError("an archive cannot be written to a terminal", {
        fallback: "use -o FILE, or redirect the output",
      });
    await using engine = await context.engine();
    const bytes = engine.containers.export(context.scope, input.args[0] ?? "");
    await writeBytes(context, bytes, output, "export container");
    return 0;
  },
};
