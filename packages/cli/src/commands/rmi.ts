// rmi: take names of images away, and the images with their last name.

import { isTeuError } from "@teu/base/errors";
import type { Command } from "../command.ts";
import { platformsOf, platformsOption } from "../options/platforms.ts";
import { printError } from "../output/print-error.ts";

/** `teu rmi`. */
export const command: Command = {
  usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove images",
  options: [
    { long: "force", short: "f", help: "Also when stopped containers use it; do not mind missing ones" },
    platformsOption("Of a name for several platforms only the image for this one"),
  ],
  unsupported: ["no-prune"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu rmi hello", "teu rmi $(teu images -q)"],
  run: async (context, input) => {
    const force = input.flag("force");
    const platforms = platformsOf(input);
    let failed = false;
    await using engine = await context.engine();
    for (const name of input.args) {
      try {
        const { untagged, deleted } = await engine.images.remove(context.scope, name, { force, platforms });
        for (const gone of untagged) context.print(`Untagged: ${gone}`);
        for (const gone of deleted) context.print(`Deleted: ${gone}`);
      } catch (error) {
        if (context.scope.signal.aborted) throw error;
        if (force && isTeuError(error, "not-found")) continue;
        printError(context.io.stderr, error, context.debug);
        failed = true;
      }
    }
    return failed ? 1 : 0;
  },
};
