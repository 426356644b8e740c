// artifact pull: the files of an artifact into a directory.

import { type Image, openImage } from "@teu/image/transport/open-image";
import { hostPlatform, parsePlatform } from "@teu/image/platform";
import type { Command } from "../command.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { printable } from "../output/printable.ts";
import { wantsJson } from "../options/json-format.ts";
import { accessOf, ACCESS_OPTIONS } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName } from "../transports/transport-name.ts";

/** `teu artifact pull`. */
export const command: Command = {
  usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Pull the files of an artifact",
  description: [
    "Every place that `teu copy` reads from will do. Files appear when all of them are there and verified. Names that lead out of the",
    "directory are refused, symlinks are not followed, and what is there is not overwritten unless asked for.",
    "What was interrupted goes on where it ended.",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    { long: "config", value: "name", help: "Write the config too, under this name" },
    { long: "format", value: "string", help: '"json": say what was written as JSON' },
    { long: "output", short: "o", value: "dir", help: "Directory for the files (default: where you are)" },
    { long: "overwrite", help: "Replace files that are there" },
    { long: "platform", value: "string", help: 'Of an index: the artifact for a platform ("linux/arm64")' },
    { long: "quiet", short: "q", help: "Show nothing but errors" },
  ],
  unsupported: ["allow-path-traversal", "concurrency", "include-subject", "keep-old-files", "oci-layout"],
  bulk: true,
  args: [1, 1],
  examples: ["teu artifact pull -o sboms localhost:5000/sboms:v1"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const quiet = input.flag("quiet");
    const platform = input.text("platform");
    const config = input.text("config");
    await using places = new Places(context);
    const source = await places.source(parseTransportName(input.args[0] ?? ""), accessOf(input));
    const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
    const image: Image = await openImage(context.scope, source, wanted);
    const { writeArtifact } = await import("@teu/image/artifact/write-artifact");
    const directory = input.text("output") ?? ".";
    const written = await (async () => {
      using progress = copyProgress(context, quiet || json);
      return await writeArtifact(context.scope, source, image, {
        directory,
        overwrite: input.flag("overwrite"),
        progress: (event) => progress.copied({ kind: "progress", ...event }),
        ...(config === undefined ? {} : { config }),
      });
    })();
    const { digest } = image.document.descriptor;
    const { artifactType } = image.manifest;
    if (json) {
      const what = {
        reference: source.name,
        digest,
        ...(artifactType === undefined ? {} : { artifactType }),
        directory,
      };
      context.print(JSON.stringify({ ...what, files: written.files, skipped: written.skipped.length }));
      return 0;
    }
    if (quiet) return 0;
    for (const { path } of written.files) context.print(printable(path));
    if (written.skipped.length > 0)
      context.warn(`teu: ${written.skipped.length} layers have no file name: not written`);
    context.print(`Digest: ${digest}`);
    return 0;
  },
};
