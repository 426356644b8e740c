// tag: a further name for an image.

import type { Command } from "../command.ts";

/** `teu tag`. */
export const command: Command = {
  usage: "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Give an image a further name",
  options: [],
  args: [2, 2],
  examples: ["teu tag hello localhost:5000/hello:1.0"],
  run: async (context, input) => {
    await using engine = await context.engine();
    await engine.images.tag(context.scope, input.args[0] ?? "", input.args[1] ?? "");
    return 0;
  },
};
