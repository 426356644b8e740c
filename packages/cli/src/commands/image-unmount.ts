// image unmount: ends mounts of images.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { forEachName } from "../output/each.ts";

/** `teu image unmount`. */
export const command: Command = {
  usage: "unmount [OPTIONS] IMAGE|PATH [IMAGE|PATH...]",
  summary: "Unmount images",
  description: "An image is unmounted wherever it is mounted. Nothing of the mount is left.",
  options: [
    { long: "all", short: "a", help: "All mounts of images" },
    jsonOption("say what was unmounted"),
    { long: "force", short: "f", help: "Also when something in it is in use: it is out of sight at once" },
  ],
  args: [0, Number.POSITIVE_INFINITY],
  examples: ["teu image unmount hello", "teu image unmount --all"],
  run: async (context, input) => {
    const all = input.flag("all");
    const json = wantsJson(input) ? "unmounted" : undefined;
    if (all === input.args.length > 0)
      throw usageError(all ? "--all goes without names" : "no image is named", {
        fallback: "name images, or use --all",
      });
    await using engine = await context.engine();
    const names = all ? (await engine.images.mounts(context.scope)).map(({ id }) => id) : input.args;
    const act = async (name: string): Promise<string> => {
      const gone = await engine.images.unmount(context.scope, name, { force: input.flag("force") });
      return gone.map(({ path }) => path).join("\n");
    };
    return await forEachName(context, names, act, json);
  },
};
