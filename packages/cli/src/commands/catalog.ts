// catalog: the repositories of a registry.

import type { Command } from "../command.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseRegistry } from "../transports/remote-name.ts";

/** `teu catalog`. */
export const command: Command = {
  usage: "catalog [OPTIONS] REGISTRY",
  summary: "List the repositories of a registry",
  description: "Public registries do not tell; others tell what the user may see.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"json": one object with all repositories' },
    { long: "full-ref", help: "Show the registry too: HOST/NAME" },
  ],
  args: [1, 1],
  examples: ["teu catalog localhost:5000"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const registry = parseRegistry(input.args[0] ?? "");
    const prefix = input.flag("full-ref") ? `${registry}/` : "";
    await using places = new Places(context);
    const client = await places.client(registry, accessOf(input));
    const all: string[] = [];
    for await (const repository of client.catalog(context.scope, registry)) {
      if (json) all.push(repository);
      else context.print(prefix + repository);
    }
    if (json) context.print(JSON.stringify({ registry, repositories: all }));
    return 0;
  },
};
