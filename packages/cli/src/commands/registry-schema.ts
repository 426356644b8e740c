// registry schema: what a registry's configuration may hold.

import { CONFIG_SCHEMA } from "@teu/registry/config/schema";
import type { Command } from "../command.ts";

/** `teu registry schema`. */
export const command: Command = {
  usage: "schema",
  summary: "Print the JSON schema of a registry's configuration",
  options: [],
  args: [0, 0],
  examples: ["teu registry schema > registry.schema.json"],
  run: async (context) => {
    context.print(JSON.stringify(CONFIG_SCHEMA, null, 2));
    return 0;
  },
};
