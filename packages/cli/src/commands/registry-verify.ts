// registry verify: reads everything in a registry's directory and compares.

import { formatSize, parseSize } from "@teu/base/bytes";
import { type Finding, verify } from "@teu/registry/admin/verify";
import type { Command } from "../command.ts";
import { JSON_OPTION, openRoot, ROOT_OPTION } from "../registry/root-options.ts";

/** `teu registry verify`. */
export const command: Command = {
  usage: "verify [OPTIONS]",
  summary: "Check everything that a registry stores",
  description: [
    "Reads every manifest and blob and compares digests, sizes, references, and files with the index. Works beside a registry that",
    "serves the directory. Exit code 1 when something acknowledged is damaged or gone; warnings alone are no failure: a client may",
    "delete a layer, and a crash may leave a file that nobody needs.",
  ].join("\n"),
  options: [
    JSON_OPTION,
    { long: "quick", help: "Compare sizes only, read no blob" },
    { long: "rate", value: "bytes", help: 'Read at most so much a second ("50MB")' },
    { long: "repair", help: "Delete files that the index does not know" },
    ROOT_OPTION,
  ],
  args: [0, 0],
  examples: ["teu registry verify --root /var/lib/registry --rate 50MB"],
  run: async (context, input) => {
    const rate = input.text("rate");
    const json = input.flag("json");
    await using root = await openRoot(context, input);
    const { findings, ...counts } = await verify(context.scope, root, {
      quick: input.flag("quick"),
      repair: input.flag("repair"),
      ...(rate === undefined ? {} : { rate: Math.max(1, parseSize(rate)) }),
      ...(json ? {} : { found: (finding) => context.print(line(finding)) }),
    });
    const errors = findings.filter(({ severity }) => severity === "error").length;
    if (json) context.print(JSON.stringify({ ...counts, findings }));
    else {
      const { manifests, blobs, bytes } = counts;
      const read = `${manifests} manifests, ${blobs} blobs, ${formatSize(bytes)} read`;
      context.print(`${read}: ${errors} errors, ${findings.length - errors} warnings`);
    }
    return errors === 0 ? 0 : 1;
  },
};

function line({ severity, kind, subject, message, repaired }: Finding): string {
  return `${severity}: ${kind}: ${subject}: ${message}${repaired === true ? " (deleted)" : ""}`;
}
