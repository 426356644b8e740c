// logout: forget a registry's credentials.

import { isTeuError } from "@teu/base/errors";
import type { Command } from "../command.ts";

/** `teu logout`. */
export const command: Command = {
  usage: "logout [SERVER]",
  summary: "Log out from a registry",
  options: [],
  args: [0, 1],
  examples: ["teu logout registry.example.org"],
  run: async (context, input) => {
    const registry = input.args[0] ?? "docker.io";
    await using engine = await context.engine();
    try {
      await engine.images.logout(context.scope, registry);
    } catch (error) {
      // As with Docker: what was asked for is so.
      if (!isTeuError(error, "not-found")) throw error;
      context.print(`Not logged in to ${registry}`);
      return 0;
    }
    context.print(`Removing login credentials for ${registry}`);
    return 0;
  },
};
