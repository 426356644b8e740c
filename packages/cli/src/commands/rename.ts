// rename: give a container another name.

import type { Command } from "../command.ts";

/** `teu rename`. */
export const command: Command = {
  usage: "rename CONTAINER NAME",
  summary: "Rename a container",
  options: [],
  args: [2, 2],
  examples: ["teu rename web old-web"],
  run: async (context, input) => {
    await using engine = await context.engine();
    await engine.containers.rename(context.scope, input.args[0] ?? "", input.args[1] ?? "");
    return 0;
  },
};
