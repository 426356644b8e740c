// history: how an image came to be.

import { formatSize } from "@teu/base/bytes";
import { historyEntries } from "@teu/engine/images/history-entries";
import type { ImageHistoryEntry } from "@teu/engine/images/images";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { placeElsewhere } from "../images/image-place.ts";
import { ago, timestamp } from "../output/human-time.ts";
import { listLines } from "../output/list-output.ts";
import { ellipsis } from "../output/table.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";

/** `teu history`. */
export const command: Command = {
  usage: "history [OPTIONS] IMAGE",
  summary: "Show the history of an image",
  description:
    "The image may also be elsewhere, as `teu inspect` says. Then sizes are those of the layers as they are stored.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"table", "table TEMPLATE", "json" or a Go template' },
    { long: "human", short: "H", on: true, help: "Sizes and times for people" },
    { long: "no-trunc", help: "Show everything in full" },
    { long: "platform", value: "string", help: 'The image for this platform ("linux/arm64")' },
    { long: "quiet", short: "q", help: "Only ids" },
  ],
  args: [1, 1],
  examples: ["teu history busybox", "teu history docker://localhost:5000/hello:1.0"],
  run: async (context, input) => {
    const [full, human] = [input.flag("no-trunc"), input.flag("human")];
    const { id, entries } = await historyOf(context, input);
    const rows = entries.map((entry, index) => ({
      ID: index === 0 ? (full ? id : id.slice(7, 19)) : "<missing>",
      CreatedSince: human ? ago(context.scope.now(), entry.createdAt) : new Date(entry.createdAt).toISOString(),
      CreatedAt: timestamp(entry.createdAt),
      CreatedBy: full ? entry.createdBy : ellipsis(entry.createdBy, 45),
      Size: human ? formatSize(entry.size) : String(entry.size),
      Comment: entry.comment,
    }));
    const table = [
      ["ID", "IMAGE"],
      ["CreatedSince", "CREATED"],
      ["CreatedBy", "CREATED BY"],
      ["Size", "SIZE"],
      ["Comment", "COMMENT"],
    ] as const;
    for (const line of listLines(
      { rows, table, quietField: "ID" },
      { format: input.text("format"), quiet: input.flag("quiet") },
    ))
      context.print(line);
    return 0;
  },
};

interface History {
  readonly id: string;
  readonly entries: readonly ImageHistoryEntry[];
}

async function historyOf(context: CommandContext, input: CommandInput): Promise<History> {
  const [name = ""] = input.args;
  const platform = input.text("platform");
  const place = placeElsewhere(name);
  if (place !== null) {
    const { lookElsewhere } = await import("../images/image-elsewhere.ts");
    const { facts, config, sizes } = await lookElsewhere(context, place, accessOf(input), platform);
    return { id: facts.Id, entries: historyEntries(config, sizes) };
  }
  await using engine = await context.engine();
  const image = await engine.images.get(context.scope, name, platform === undefined ? {} : { platform });
  return { id: image.id, entries: await engine.images.history(context.scope, image.id) };
}
