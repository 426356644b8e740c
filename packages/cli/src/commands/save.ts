// save: images as an archive, to a file or to stdout.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { platformsOption, platformsOrAll } from "../options/platforms.ts";
import { fileForJson, writeBytes, writeDescribed } from "../output/write-bytes.ts";

/** `teu save`. */
export const command: Command = {
  usage: "save [OPTIONS] IMAGE [IMAGE...]",
  summary: "Save images to an archive",
  description: "Several platforms of an image are saved as its index; Docker's list beside it names one of them.",
  options: [
    { long: "all-platforms", help: "All platforms that are here" },
    { long: "format", value: "string", help: '"docker-archive" (default) or "oci-archive"' },
    { long: "json", help: "With -o, say what was written as JSON" },
    { long: "output", short: "o", value: "file", help: "Write to a file instead of stdout" },
    platformsOption("The image for this platform; default: for this host's"),
  ],
  bulk: true,
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu save -o hello.tar hello", "teu save hello | gzip > hello.tar.gz"],
  run: async (context, input) => {
    const format = input.text("format") ?? "docker-archive";
    if (format !== "docker-archive" && format !== "oci-archive")
      throw usageError(`the format ${JSON.stringify(format)} is not known`, {
        word: format,
        known: ["docker-archive", "oci-archive"],
        fallback: "use docker-archive or oci-archive",
      });
    const output = input.text("output");
    const file = input.flag("json") ? fileForJson(input) : undefined;
    const platforms = platformsOrAll(input);
    if (output === undefined && context.io.stdout.isTTY)
      throw usageError("an archive cannot be written to a terminal", {
        fallback: "use -o FILE, or redirect the output",
      });
    await using engine = await context.engine();
    const bytes = engine.images.save(context.scope, input.args, { format, platforms });
    if (file === undefined) await writeBytes(context, bytes, output, "save images");
    else {
      const written = await writeDescribed(context, bytes, file, "save images");
      context.print(JSON.stringify({ images: input.args, format, ...written }));
    }
    return 0;
  },
};
