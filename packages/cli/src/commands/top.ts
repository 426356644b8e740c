// top: the processes of a container, as the host sees them.

import type { Command } from "../command.ts";
import { columns } from "../output/table.ts";

/** `teu top`. */
export const command: Command = {
  usage: "top CONTAINER",
  summary: "Show the processes of a container",
  options: [],
  args: [1, 1],
  examples: ["teu top web"],
  run: async (context, input) => {
    await using engine = await context.engine();
    const { titles, processes } = await engine.containers.top(context.scope, input.args[0] ?? "");
    for (const line of columns([titles, ...processes])) context.print(line);
    return 0;
  },
};
