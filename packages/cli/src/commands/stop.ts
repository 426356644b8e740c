// stop: the stop signal, and KILL when that was not enough.

import type { Command } from "../command.ts";
import { wholeNumber } from "../options/container-options.ts";
import { forEachName } from "../output/each.ts";

/** `teu stop`. */
export const command: Command = {
  usage: "stop [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop running containers",
  options: [
    { long: "signal", short: "s", value: "string", help: "Signal to send first" },
    { long: "time", short: "t", value: "int", help: "Seconds to wait before they are killed" },
    { long: "timeout", value: "int", help: "As --time" },
  ],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu stop web", "teu stop -t 1 web db"],
  run: async (context, input) => {
    const signal = input.text("signal");
    const timeoutSeconds = wholeNumber(input, "time") ?? wholeNumber(input, "timeout");
    await using engine = await context.engine();
    return await forEachName(context, input.args, async (name) => {
      await engine.containers.stop(context.scope, name, {
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      });
      return name;
    });
  },
};
