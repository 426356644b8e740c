// rmi: take names of images away, and the images with their last name.

import { isTeuError } from "@teu/base/errors";
import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { platformsOf, platformsOption } from "../options/platforms.ts";
import { printError } from "../output/print-error.ts";

/** `teu rmi`. */
export const command: Command = {
  usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove images",
  options: [
    { long: "force", short: "f", help: "Also when stopped containers use it; do not mind missing ones" },
    jsonOption("say what was removed"),
    platformsOption("Of a name for several platforms only the image for this one"),
  ],
  unsupported: ["no-prune"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu rmi hello", "teu rmi $(teu images -q)"],
  run: async (context, input) => {
    const force = input.flag("force");
    const platforms = platformsOf(input);
    const json = wantsJson(input);
    const gone = { untagged: [] as string[], deleted: [] as string[] };
    let failed = false;
    await using engine = await context.engine();
    for (const name of input.args) {
      try {
        const { untagged, deleted } = await engine.images.remove(context.scope, name, { force, platforms });
        gone.untagged.push(...untagged);
        gone.deleted.push(...deleted);
        if (json) continue;
        for (const one of untagged) context.print(`Untagged: ${one}`);
        for (const one of deleted) context.print(`Deleted: ${one}`);
      } catch (error) {
        if (context.scope.signal.aborted) throw error;
        if (force && isTeuError(error, "not-found")) continue;
        printError(context.io.stderr, error, context.debug, json);
        failed = true;
      }
    }
    if (json) context.print(JSON.stringify(gone));
    return failed ? 1 : 0;
  },
};
