// registry restore: a registry's directory out of a backup.

import { resolve } from "node:path";
import { formatSize } from "@teu/base/bytes";
import { restore } from "@teu/registry/admin/backup";
import { OpenRoot } from "@teu/registry/admin/open-root";
import type { Command } from "../command.ts";
import { LINK_OPTION, ROOT_OPTION, rootPath } from "../registry/root-options.ts";

/** `teu registry restore`. */
export const command: Command = {
  usage: "restore [OPTIONS] BACKUP",
  summary: "Make a registry's directory out of a backup",
  description: "The directory that --root names must not hold a registry yet.",
  options: [LINK_OPTION, ROOT_OPTION],
  args: [1, 1],
  examples: ["teu registry restore --root /var/lib/registry /backup/registry"],
  run: async (context, input) => {
    const directory = rootPath(input);
    await using saved = await OpenRoot.open(context.scope, resolve(input.args[0] ?? ""));
    const { blobs, bytes } = await restore(context.scope, saved, directory, { link: input.flag("link") });
    context.print(`restored ${blobs} blobs (${formatSize(bytes)})`);
    return 0;
  },
};
