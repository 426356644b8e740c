// history: how an image came to be.

import { formatSize } from "@teu/base/bytes";
import type { Command } from "../command.ts";
import { ago, timestamp } from "../output/human-time.ts";
import { listLines } from "../output/list-output.ts";
import { ellipsis } from "../output/table.ts";

/** `teu history`. */
export const command: Command = {
  usage: "history [OPTIONS] IMAGE",
  summary: "Show the history of an image",
  options: [
    { long: "format", value: "string", help: '"table", "table TEMPLATE", "json" or a Go template' },
    { long: "human", short: "H", on: true, help: "Sizes and times for people" },
    { long: "no-trunc", help: "Show everything in full" },
    { long: "platform", value: "string", help: 'The image for this platform ("linux/arm64")' },
    { long: "quiet", short: "q", help: "Only ids" },
  ],
  args: [1, 1],
  examples: ["teu history busybox"],
  run: async (context, input) => {
    const [full, human] = [input.flag("no-trunc"), input.flag("human")];
    await using engine = await context.engine();
    const platform = input.text("platform");
    const wanted = platform === undefined ? {} : { platform };
    const image = await engine.images.get(context.scope, input.args[0] ?? "", wanted);
    const entries = await engine.images.history(context.scope, image.id);
    const rows = entries.map((entry, index) => ({
      ID: index === 0 ? (full ? image.id : image.id.slice(7, 19)) : "<missing>",
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
