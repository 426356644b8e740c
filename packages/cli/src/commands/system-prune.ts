// system prune, image prune, container prune: remove what nothing needs.

import { formatSize } from "@teu/base/bytes";
import type { PruneOptions, PruneReport } from "@teu/engine/prune/prune";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { confirm } from "../terminal/prompt.ts";

/** `teu system prune` and its parts. */
export const command: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove what nothing needs",
  options: [
    { long: "all", short: "a", help: "All images that no container uses, not only those without a name" },
    { long: "force", short: "f", help: "Do not ask" },
    jsonOption("say what was removed"),
    { long: "only", value: "string", help: '"containers", "images" or "builder"' },
    { long: "volumes", help: "Also volumes that no container uses" },
  ],
  unsupported: ["filter"],
  args: [0, 0],
  examples: ["teu system prune", "teu system prune -af"],
  run: async (context, input) => {
    const options = pruneOptions(input);
    const json = wantsJson(input);
    if (!input.flag("force") && !(await confirm(context, `This removes ${describe(options)}. Continue?`))) return 1;
    await using engine = await context.engine();
    const report = await engine.prune(context.scope, options);
    if (json) context.print(JSON.stringify(report));
    else print(context, report);
    return 0;
  },
};

function pruneOptions(input: CommandInput): PruneOptions {
  const only = input.text("only");
  if (only !== undefined && !["containers", "images", "builder"].includes(only))
    throw usageError(`--only=${only} is not known`, {
      word: only,
      known: ["containers", "images", "builder"],
      fallback: "use containers, images or builder",
    });
  const images = input.flag("all") ? "unused" : "dangling";
  return {
    containers: only === undefined || only === "containers",
    images: only === undefined || only === "images" ? images : "none",
    buildCache: only === "builder" || (only === undefined && input.flag("all")),
    volumes: input.flag("volumes"),
  };
}

function describe(options: PruneOptions): string {
  return [
    ...(options.containers === true ? ["all stopped containers"] : []),
    ...(options.images === "none"
      ? []
      : [options.images === "unused" ? "all images without a container" : "all images without a name"]),
    ...(options.buildCache === true ? ["the build cache"] : []),
    ...(options.volumes === true ? ["all volumes without a container"] : []),
    "layers and blobs that nothing needs",
  ].join(", ");
}

function print(context: CommandContext, report: PruneReport): void {
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ["Deleted Containers", report.containers],
    ["Deleted Images", report.images],
    ["Deleted Volumes", report.volumes],
  ];
  for (const [title, names] of parts) {
    if (names.length === 0) continue;
    context.print(`${title}:`);
    for (const name of names) context.print(name);
    context.print("");
  }
  context.print(`Total reclaimed space: ${formatSize(report.reclaimed)}`);
}
