// kill: one signal to running containers.

import type { Command } from "../command.ts";
import { forEachName } from "../output/each.ts";

/** `teu kill`. */
export const command: Command = {
  usage: "kill [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Send a signal to running containers",
  options: [{ long: "signal", short: "s", value: "string", help: "Signal to send (default KILL)" }],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu kill web", "teu kill -s HUP web"],
  run: async (context, input) => {
    const signal = input.text("signal");
    await using engine = await context.engine();
    return await forEachName(context, input.args, async (name) => {
      await engine.containers.kill(context.scope, name, signal === undefined ? {} : { signal });
      return name;
    });
  },
};
