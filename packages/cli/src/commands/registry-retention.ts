// registry retention: removes the tags that the configured rules do not keep.

import { ConfigSource } from "@teu/registry/config/config-source";
import { OpenRoot } from "@teu/registry/admin/open-root";
import { applyRetention } from "@teu/registry/retention/apply-retention";
import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { timestamp } from "../output/human-time.ts";
import { JSON_OPTION } from "../registry/root-options.ts";

/** `teu registry retention`. */
export const command: Command = {
  usage: "retention [OPTIONS]",
  summary: "Remove the tags that the rules do not keep",
  description: [
    "Goes by `storage.retention` of the configuration, as a server does before each cleaning. Removed tags can be brought back with",
    "`teu registry undelete` as long as their manifests are there.",
  ].join("\n"),
  options: [
    { long: "config", value: "file", help: "Configuration of the registry" },
    { long: "dry-run", help: "Say which tags would go, and remove none" },
    JSON_OPTION,
  ],
  args: [0, 0],
  examples: ["teu registry retention --config /etc/teu/registry.yaml --dry-run"],
  run: async (context, input) => {
    const file = input.text("config");
    if (file === undefined) throw usageError("--config is missing", { fallback: "name the file that has the rules" });
    const {
      root,
      retention: rules = [],
      immutable,
    } = await new ConfigSource(file, context.environment.registry).options();
    if (root === undefined)
      throw usageError("the configuration names no root", { fallback: "a registry in memory keeps nothing" });
    await using opened = await OpenRoot.open(context.scope, root);
    const dryRun = input.flag("dry-run");
    const gone = await applyRetention(context.scope, opened.metadata, { rules, immutable, dryRun });
    if (input.flag("json")) context.print(JSON.stringify(gone));
    else
      for (const { repository, tag, digest, pushedAt, pulledAt } of gone) {
        const pulled = pulledAt === null ? "never" : timestamp(pulledAt);
        context.print(`${repository}:${tag}  ${digest}  pushed ${timestamp(pushedAt)}  pulled ${pulled}`);
      }
    return 0;
  },
};
