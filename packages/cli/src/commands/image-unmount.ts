// image unmount: ends mounts of images.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { forEachName } from "../output/each.ts";

/** `teu image unmount`. */
export const command: Command = {
  usage: "unmount [OPTIONS] IMAGE|PATH [IMAGE|PATH...]",
  summary: "Unmount images",
  description: "An image is unmounted wherever it is mounted. Nothing of the mount is left.",
  options: [
    { long: "all", short: "a", help: "All mounts of images" },
    { long: "force", short: "f", help: "Also when something in it is in use: it is out of sight at once" },
  ],
  args: [0, Number.POSITIVE_INFINITY],
  examples: ["teu image unmount hello", "teu image unmount --all"],
  run: async (context, input) => {
    const all = input.flag("all");
    if (all === input.args.length > 0)
      throw usageError(all ? "--all goes without names" : "no image is named", {
        fallback: "name images, or use --all",
      });
    await using engine = await context.engine();
    const names = all ? (await engine.images.mounts(context.scope)).map(({ id }) => id) : input.args;
    return await forEachName(context, names, async (name) => {
      const gone = await engine.images.unmount(context.scope, name, { force: input.flag("force") });
      return gone.map(({ path }) => path).join("\n");
    });
  },
};
