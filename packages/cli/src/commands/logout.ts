// logout: forget a registry's credentials.

import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";

/** `teu logout`. */
export const command: Command = {
  usage: "logout [OPTIONS] [SERVER]",
  summary: "Log out from a registry",
  options: [jsonOption("say from where what was removed")],
  args: [0, 1],
  examples: ["teu logout registry.example.org"],
  run: async (context, input) => {
    const registry = input.args[0] ?? "docker.io";
    const json = wantsJson(input);
    await using engine = await context.engine();
    const gone = await engine.images.logout(context.scope, registry);
    if (json) context.print(JSON.stringify(gone));
    // As with Docker that is no failure: what was asked for is so.
    else if (gone.removed.length === 0) context.print(`Not logged in to ${registry}`);
    else context.print(`Removing login credentials for ${registry}`);
    return 0;
  },
};
