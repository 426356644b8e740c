// rm: remove containers.

import { isTeuError } from "@teu/base/errors";
import type { Command } from "../command.ts";
import { forEachName } from "../output/each.ts";

/** `teu rm`. */
export const command: Command = {
  usage: "rm [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove containers",
  options: [
    { long: "force", short: "f", help: "Kill running ones; do not mind missing ones" },
    { long: "volumes", short: "v", help: "Remove their anonymous volumes too" },
  ],
  unsupported: ["link"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu rm web", "teu rm -fv web", "teu rm $(teu ps -aq)"],
  run: async (context, input) => {
    const force = input.flag("force");
    await using engine = await context.engine();
    return await forEachName(context, input.args, async (name) => {
      try {
        await engine.containers.remove(context.scope, name, { force, volumes: input.flag("volumes") });
      } catch (error) {
        if (!force || !isTeuError(error, "not-found")) throw error;
      }
      return name;
    });
  },
};
