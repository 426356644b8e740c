// tag: a further name for an image.

import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";

/** `teu tag`. */
export const command: Command = {
  usage: "tag [OPTIONS] SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Give an image a further name",
  options: [jsonOption("say what was named")],
  args: [2, 2],
  examples: ["teu tag hello localhost:5000/hello:1.0"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const [from = "", to = ""] = input.args;
    await using engine = await context.engine();
    const { name, source, id, target } = await engine.images.tag(context.scope, from, to);
    const { digest, mediaType } = target;
    if (json) context.print(JSON.stringify({ name, source, id, digest, mediaType }));
    return 0;
  },
};
