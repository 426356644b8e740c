// export: a container's file system as a tar, to a file or to stdout.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { fileForJson, writeBytes, writeDescribed } from "../output/write-bytes.ts";

/** `teu export`. */
export const command: Command = {
  usage: "export [OPTIONS] CONTAINER",
  summary: "Write a container's file system as a tar archive",
  description: "Volumes are not part of it. The container may run; what it changes meanwhile may be in it or not.",
  options: [
    jsonOption("with -o, say what was written"),
    { long: "output", short: "o", value: "file", help: "Write to a file instead of stdout" },
  ],
  bulk: true,
  args: [1, 1],
  examples: ["teu export -o web.tar web", "teu export web | teu import - web:snapshot"],
  run: async (context, input) => {
    const [name = ""] = input.args;
    const output = input.text("output");
    const file = wantsJson(input) ? fileForJson(input) : undefined;
    if (output === undefined && context.io.stdout.isTTY)
      throw usageError("an archive cannot be written to a terminal", {
        fallback: "use -o FILE, or redirect the output",
      });
    await using engine = await context.engine();
    const bytes = engine.containers.export(context.scope, name);
    if (file === undefined) await writeBytes(context, bytes, output, "export container");
    else {
      const { id } = await engine.containers.get(context.scope, name);
      const written = await writeDescribed(context, bytes, file, "export container");
      context.print(JSON.stringify({ container: id, ...written }));
    }
    return 0;
  },
};
