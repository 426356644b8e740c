// registry backup: a copy of a registry's directory, taken while it serves.

import { resolve } from "node:path";
import { formatSize } from "@teu/base/bytes";
import { backup } from "@teu/registry/admin/backup";
import type { Command } from "../command.ts";
import { JSON_OPTION, LINK_OPTION, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

/** `teu registry backup`. */
export const command: Command = {
  usage: "backup [OPTIONS] DIRECTORY",
  summary: "Copy a registry while it serves",
  description: [
    "The copy is consistent as of one moment and has the form of a registry's directory: `teu registry verify` checks it. Into the",
    "directory of an earlier backup only what is new is copied. Killed at any point, it leaves the earlier backup or the new one.",
  ].join("\n"),
  options: [JSON_OPTION, LINK_OPTION, ROOT_OPTION],
  args: [1, 1],
  examples: ["teu registry backup --root /var/lib/registry /backup/registry"],
  run: async (context, input) => {
    await using root = await openRoot(context, input);
    const report = await backup(context.scope, root, resolve(input.args[0] ?? ""), { link: input.flag("link") });
    const { blobs, bytes, kept, dropped } = report;
    context.print(
      input.flag("json")
        ? JSON.stringify(report)
        : `copied ${blobs} blobs (${formatSize(bytes)}), kept ${kept}, dropped ${dropped}`,
    );
    return 0;
  },
};
