// image flatten: all layers of an image as one.

import { flatten } from "@teu/image/transforms/flatten";
import type { Command } from "../command.ts";
import { CHANGE_OPTIONS, changeImage, PLACES_HELP } from "../images/change-image.ts";
import { compressionOf, levelOf, NEW_LAYER_OPTIONS } from "../images/compress-options.ts";

/** `teu image flatten`. */
export const command: Command = {
  usage: "flatten [OPTIONS] IMAGE",
  summary: "Make one layer of all layers of an image",
  description: [PLACES_HELP, "Files that upper layers delete or replace are gone from the result."].join("\n"),
  options: [...CHANGE_OPTIONS, ...NEW_LAYER_OPTIONS],
  bulk: true,
  args: [1, 1],
  examples: ["teu image flatten -t hello:flat hello", "teu image flatten --all docker://localhost:5000/app:v1"],
  run: async (context, input) => {
    const compression = compressionOf(input);
    return await changeImage(context, input, async ({ scratch, temporary, latestNs, packing }) => ({
      image: flatten({
        scratch,
        temporary,
        ...latestNs,
        ...packing("one layer"),
        ...levelOf(input),
        ...(compression === undefined ? {} : { compression }),
      }),
    }));
  },
};
