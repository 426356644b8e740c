// import: a root file system in a tar becomes an image.

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { applyChanges } from "@teu/builder/apply-changes";
import { fileError } from "@teu/files/addon";
import { hostPlatform, parsePlatform } from "@teu/image/platform";
import { appendLayers } from "@teu/image/transforms/change-layers";
import { timestampText } from "@teu/image/transforms/timestamps";
import { copyImage } from "@teu/image/transport/copy-image";
import { emptyImage } from "@teu/image/values/image-value";
import { fileLayer } from "@teu/image/values/make-layer";
import { openScratch } from "@teu/image/values/scratch";
import { valueSource } from "@teu/image/values/value-source";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { timestampOf } from "../images/change-image.ts";
import { compressionOf, levelOf, NEW_LAYER_OPTIONS } from "../images/compress-options.ts";
import { parseDestination } from "../images/image-place.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { Places } from "../transports/open-place.ts";

/** `teu import`. */
export const command: Command = {
  usage: "import [OPTIONS] FILE|- [IMAGE]",
  summary: "Make an image of a root file system in a tar archive",
  description: [
    "FILE is a tar, plain or compressed with gzip or zstd; - is stdin. IMAGE is a name on this host, or a place as `teu copy` names it.",
    "A compressed tar is kept as it is. Times in it stay, unless --timestamp says otherwise.",
  ].join("\n"),
  options: [
    ...NEW_LAYER_OPTIONS,
    {
      long: "change",
      short: "c",
      value: "instruction",
      repeat: true,
      help: "A Dockerfile instruction to apply (CMD, ENV ...)",
    },
    jsonOption("say what was made"),
    { long: "insecure", help: "Plain HTTP, or TLS without verification" },
    { long: "message", short: "m", value: "string", help: "Comment in the history" },
    { long: "platform", value: "string", help: 'What it is for ("linux/arm64"); default: this host' },
    { long: "quiet", short: "q", help: "Show no progress" },
    { long: "timestamp", value: "seconds", help: "Nothing is later than this, since 1970; default: SOURCE_DATE_EPOCH" },
  ],
  bulk: true,
  args: [1, 2],
  examples: [
    "teu import rootfs.tar.gz debian:own",
    "teu export web | teu import -c 'CMD [\"sh\"]' -m 'as it was' - web:snapshot",
  ],
  run: async (context, input) => {
    const { scope, environment } = context;
    const [file = "", name] = input.args;
    if (/^[a-z]+:\/\//i.test(file))
      throw usageError("an archive is not fetched from the network", {
        fallback: "download it, or pipe it to `teu import -`",
      });
    if (file === "-" && context.io.stdin.isTTY)
      throw usageError("an archive cannot be read from a terminal", { fallback: "name a file, or redirect the input" });
    const to = name === undefined ? null : parseDestination(name);
    const json = wantsJson(input);
    const timestamp = timestampOf(context, input);
    const compression = compressionOf(input);
    await using places = new Places(context);
    await using room = await openScratch(scope, environment.temporary);
    const path = file === "-" ? await keepInput(context, room.temporary) : file;
    const layer = fileLayer(path, {
      scratch: room.scratch,
      ...(file === "-" ? { name: "standard input" } : {}),
      ...levelOf(input),
      ...(compression === undefined ? {} : { compression }),
      ...(timestamp === undefined ? {} : { latestNs: BigInt(timestamp) * 1_000_000_000n }),
    });
    const created = timestampText(timestamp ?? Math.floor(scope.now() / 1000));
    const image = imageFor(input, created).apply(
      appendLayers([layer], { created, comment: input.text("message") ?? `Imported from ${file}` }),
    );
    const source = valueSource(image);
    await source.resolve(scope);
    const sink = to === null ? await places.unnamed() : await places.sink(to, { insecure: input.flag("insecure") });
    {
      using progress = copyProgress(context, input.flag("quiet") || json || !context.io.stderr.isTTY);
      await copyImage(scope, { source, sink, platform: "all", progress: progress.copied });
    }
    const id = (await image.manifest(scope)).config.digest;
    const { digest, mediaType, size } = await source.resolve(scope);
    context.print(json ? JSON.stringify({ id, destination: sink.name, digest, mediaType, size }) : id);
    return 0;
  },
};

function imageFor(input: CommandInput, created: string): ReturnType<typeof emptyImage> {
  const platform = input.text("platform");
  const empty = emptyImage(platform === undefined ? hostPlatform() : parsePlatform(platform), created);
  const changes = input.list("change");
  return empty.with((parts) => ({
    ...parts,
    config: parts.config === null ? null : applyChanges(parts.config, changes),
  }));
}

/** What comes by stdin is looked at before it is read as an archive: it is kept in a file. */
async function keepInput({ scope, io }: CommandContext, directory: string): Promise<string> {
  const path = join(directory, "input");
  try {
    await pipeline(io.stdin, createWriteStream(path, { mode: 0o600 }), { signal: scope.signal });
    return path;
  } catch (error) {
    scope.check("read archive");
    throw fileError("keep archive", path, error);
  }
}
