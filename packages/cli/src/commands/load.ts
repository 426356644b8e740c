// load: images from an archive, from a file or stdin.

import { access } from "node:fs/promises";
import { fileError } from "@teu/files/addon";
import { shortDigest } from "@teu/image/digest";
import { readArchiveFile } from "@teu/image/docker-archive/archive-file";
import { familiarText, parseReference } from "@teu/image/reference";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { platformsOf, platformsOption } from "../options/platforms.ts";
import { transferProgress } from "../output/transfer-progress.ts";

/** `teu load`. */
export const command: Command = {
  usage: "load [OPTIONS]",
  summary: "Load images from an archive",
  options: [
    jsonOption("say what was loaded"),
    { long: "input", short: "i", value: "file", help: "Read a file instead of stdin" },
    platformsOption("Only images for this platform; default: all that are in the archive"),
    { long: "quiet", short: "q", help: "Show no progress" },
  ],
  bulk: true,
  args: [0, 0],
  examples: ["teu load -i hello.tar", "teu load < hello.tar.gz"],
  run: async (context, input) => {
    const file = input.text("input");
    const platforms = platformsOf(input);
    const json = wantsJson(input);
    if (file === undefined && context.io.stdin.isTTY)
      throw usageError("an archive cannot be read from a terminal", { fallback: "use -i FILE, or redirect the input" });
    if (file !== undefined)
      await access(file).catch((error: unknown) => {
        throw fileError("read archive", file, error);
      });
    const source = file === undefined ? (context.io.stdin as AsyncIterable<Uint8Array>) : readArchiveFile(file);
    await using engine = await context.engine();
    using progress = transferProgress(context.io.stderr, {
      quiet: input.flag("quiet") || json || !context.io.stderr.isTTY,
      dumb: context.environment.term === "dumb",
    });
    const moved: string[] = [];
    const images = await engine.images.load(context.scope, source, {
      ...(file === undefined ? {} : { name: file }),
      platforms,
      progress: (event) => progress.event(event),
      moved: (name, from) => moved.push(`${familiarText(parseReference(name))} was image ${shortDigest(from)} before`),
    });
    progress[Symbol.dispose]();
    for (const line of moved) context.io.stderr.write(`teu: ${line}\n`);
    if (json) {
      const loaded = images.map(({ id, given, target, platform }) => ({
        id,
        names: given,
        digest: target.digest,
        platform,
      }));
      context.print(JSON.stringify({ images: loaded }));
      return 0;
    }
    for (const image of images) {
      if (image.given.length === 0) context.print(`Loaded image ID: ${image.id}`);
      for (const name of image.given) context.print(`Loaded image: ${familiarText(parseReference(name))}`);
    }
    return 0;
  },
};
