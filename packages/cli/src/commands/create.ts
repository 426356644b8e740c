// create: make a container without starting it.

import type { Command } from "../command.ts";
import { CONTAINER_OPTIONS, UNSUPPORTED_CONTAINER_OPTIONS } from "../options/container-options.ts";
import { policyOf } from "../options/signature-policy.ts";
import { createFromInput } from "./run-container.ts";

/** `teu create`. */
export const command: Command = {
  usage: "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  options: CONTAINER_OPTIONS,
  unsupported: UNSUPPORTED_CONTAINER_OPTIONS,
  passThrough: true,
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu create --name job busybox sh -c 'sleep 1; echo done'", "teu start -a job"],
  failure: 125,
  run: async (context, input) => {
    await using engine = await context.engine(policyOf(input));
    context.print((await createFromInput(context, engine, input)).id);
    return 0;
  },
};
