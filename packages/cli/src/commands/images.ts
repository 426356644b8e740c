// images: list images.

import { formatSize } from "@teu/base/bytes";
import type { Image } from "@teu/engine/images/images";
import { formatPlatform } from "@teu/image/platform";
import { familiarName, parseReference } from "@teu/image/reference";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { ago, timestamp } from "../output/human-time.ts";
import { listLines } from "../output/list-output.ts";

/** `teu images`. */
export const command: Command = {
  usage: "images [OPTIONS] [PATTERN]",
  summary: "List images",
  description: 'PATTERN is a name with or without its tag; "*" in it stands for anything but a slash.',
  options: [
    { long: "all", short: "a", help: "Accepted for compatibility: there are no hidden images" },
    { long: "digests", help: "Show digests" },
    { long: "filter", short: "f", value: "filter", repeat: true, help: "dangling=true|false, label=, reference=" },
    { long: "format", value: "string", help: '"table", "table TEMPLATE", "json" or a Go template' },
    { long: "no-trunc", help: "Show everything in full" },
    { long: "quiet", short: "q", help: "Only ids" },
  ],
  unsupported: ["tree"],
  args: [0, 1],
  examples: [
    "teu images",
    "teu images -q",
    "teu images 'localhost:5000/*:1.*'",
    "teu images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
  ],
  run: async (context, input) => {
    const filters = readFilters(input);
    await using engine = await context.engine();
    const found = await engine.images.list(context.scope, filters.options);
    const shown = found
      .filter((image) => filters.labels.every((label) => hasLabel(image, label)))
      .toSorted((a, b) => b.createdAt - a.createdAt);
    const now = context.scope.now();
    const rows = shown.flatMap((image) =>
      imageRows(image, { now, full: input.flag("no-trunc"), digests: input.flag("digests") }),
    );
    const head = input.flag("digests") ? [["Digest", "DIGEST"] as const] : [];
    // Only where a name alone does not say which image it is.
    const names = shown.flatMap((image) => image.names);
    const platforms = new Set(names).size < names.length ? [["Platform", "PLATFORM"] as const] : [];
    const table = [
      ["Repository", "REPOSITORY"] as const,
      ["Tag", "TAG"] as const,
      ...head,
      ...platforms,
      ["ID", "IMAGE ID"] as const,
      ["CreatedSince", "CREATED"] as const,
      ["Size", "SIZE"] as const,
    ];
    const quiet = input.flag("quiet");
    const lines = listLines({ rows, table, quietField: "ID" }, { format: input.text("format"), quiet });
    for (const line of quiet ? new Set(lines) : lines) context.print(line);
    return 0;
  },
};

function imageRows(
  image: Image,
  { now, full, digests }: { now: number; full: boolean; digests: boolean },
): Record<string, string>[] {
  const common = {
    ID: full ? image.id : image.id.slice(7, 19),
    Platform: formatPlatform(image.platform),
    CreatedAt: timestamp(image.createdAt),
    CreatedSince: ago(now, image.createdAt),
    Size: formatSize(image.size),
  };
  const repositories = new Set(image.names.map((name) => name.slice(0, name.lastIndexOf(":"))));
  const rows = image.names.map((name) => {
    const reference = parseReference(name);
    const digest = image.repoDigests.find((other) => other.startsWith(`${name.slice(0, name.lastIndexOf(":"))}@`));
    return {
      Repository: familiarName(reference),
      Tag: reference.tag ?? "<none>",
      Digest: digest?.split("@")[1] ?? "<none>",
      ...common,
    };
  });
  // What was pulled by digest has no tag; one line for each digest only where digests are shown.
  const digestOnly = image.repoDigests.map((name) => name.split("@")).filter(([name = ""]) => !repositories.has(name));
  for (const [at, [name = "", digest = ""]] of digestOnly.entries()) {
    if (!digests && digestOnly.findIndex(([other]) => other === name) !== at) continue;
    rows.push({ Repository: familiarName(parseReference(name)), Tag: "<none>", Digest: digest, ...common });
  }
  return rows.length > 0 ? rows : [{ Repository: "<none>", Tag: "<none>", Digest: "<none>", ...common }];
}

function readFilters(input: CommandInput): {
  readonly options: { dangling?: boolean; references?: readonly string[] };
  readonly labels: readonly string[];
} {
  const options: { dangling?: boolean; references?: readonly string[] } = {};
  const labels: string[] = [];
  const references: string[] = [...input.args];
  for (const text of input.list("filter")) {
    const [name = "", ...rest] = text.split("=");
    const value = rest.join("=");
    if (name === "dangling" && (value === "true" || value === "false")) options.dangling = value === "true";
    else if (name === "reference" && value !== "") references.push(value);
    else if (name === "label" && value !== "") labels.push(value);
    else
      throw usageError(`the filter ${JSON.stringify(text)} is not supported`, {
        word: name,
        known: ["dangling", "label", "reference"],
        fallback: "write dangling=true, label=NAME or reference=NAME",
      });
  }
  if (references.length > 0) options.references = references;
  return { options, labels };
}

function hasLabel(image: Image, label: string): boolean {
  const equals = label.indexOf("=");
  const found = image.config.config?.Labels?.[equals < 0 ? label : label.slice(0, equals)];
  return found !== undefined && (equals < 0 || found === label.slice(equals + 1));
}
