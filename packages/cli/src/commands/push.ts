// push: upload an image to where its name says.

import { familiarText, parseReference, referenceText } from "@teu/image/reference";
import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { transferProgress } from "../output/transfer-progress.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";

/** `teu push`. */
export const command: Command = {
  usage: "push [OPTIONS] NAME[:TAG]",
  summary: "Upload an image to a registry",
  options: [
    ...ACCESS_OPTIONS,
    jsonOption("say what was pushed"),
    {
      long: "platform",
      value: "string",
      help: 'The image for this platform alone ("linux/arm64"), not what else its name stands for',
    },
    { long: "quiet", short: "q", help: "Show only its name" },
  ],
  unsupported: ["all-tags", "disable-content-trust"],
  bulk: true,
  args: [1, 1],
  examples: ["teu tag hello localhost:5000/hello", "teu push localhost:5000/hello"],
  run: async (context, input) => {
    const reference = parseReference(input.args[0] ?? "");
    const json = wantsJson(input);
    const quiet = input.flag("quiet") || json;
    const platform = input.text("platform");
    await using engine = await context.engine();
    const descriptor = await (async () => {
      using progress = transferProgress(context.io.stdout, { quiet, dumb: context.environment.term === "dumb" });
      return await engine.images.push(context.scope, input.args[0] ?? "", {
        progress: (event) => progress.event(event),
        ...accessOf(input),
        ...(platform === undefined ? {} : { platform }),
      });
    })();
    if (json) {
      const { digest, mediaType, size } = descriptor;
      context.print(JSON.stringify({ reference: referenceText(reference), digest, mediaType, size }));
      return 0;
    }
    context.print(
      quiet ? familiarText(reference) : `${reference.tag ?? ""}: digest: ${descriptor.digest} size: ${descriptor.size}`,
    );
    return 0;
  },
};
