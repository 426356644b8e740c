// manifest rm: lists of this host. Nothing on a registry is touched.

import { ManifestLists } from "@teu/engine/manifest-lists/manifest-lists";
import { parseReference, referenceText } from "@teu/image/reference";
import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { forEachName } from "../output/each.ts";

/** `teu manifest rm`. */
export const command: Command = {
  usage: "rm [OPTIONS] LIST [LIST...]",
  summary: "Remove lists from this host",
  options: [jsonOption("say what was removed")],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu manifest rm localhost:5000/app:1.0"],
  run: async (context, input) => {
    const json = wantsJson(input) ? "removed" : undefined;
    const lists = new ManifestLists(context.root);
    const act = async (text: string): Promise<string> => {
      const name = parseReference(text);
      await lists.remove(context.scope, name);
      return referenceText(name);
    };
    return await forEachName(context, input.args, act, json);
  },
};
