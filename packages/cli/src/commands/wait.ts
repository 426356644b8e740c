// wait: until containers have ended; prints their exit codes.

import type { Command } from "../command.ts";
import { forEachName } from "../output/each.ts";

/** `teu wait`. */
export const command: Command = {
  usage: "wait CONTAINER [CONTAINER...]",
  summary: "Wait until containers end and print their exit codes",
  options: [],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu wait job"],
  run: async (context, input) => {
    await using engine = await context.engine();
    return await forEachName(context, input.args, async (name) =>
      String((await engine.containers.wait(context.scope, name)).code),
    );
  },
};
