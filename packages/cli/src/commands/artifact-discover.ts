// artifact discover: what refers to an image, as a tree.

import type { Digest } from "@teu/image/digest";
import { type Referrer, referrersTree } from "@teu/image/artifact/referrers-tree";
import { parsePlatform } from "@teu/image/platform";
import { openImage } from "@teu/image/transport/open-image";
import type { Descriptor } from "@teu/specs/image";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { printable } from "../output/printable.ts";
import { accessOf, ACCESS_OPTIONS } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName } from "../transports/transport-name.ts";

/** `teu artifact discover`. */
export const command: Command = {
  usage: "discover [OPTIONS] IMAGE",
  summary: "Show what refers to an image",
  description: [
    "Signatures, SBOMs, attestations and all else that has the image as its subject, and what refers to that.",
    "IMAGE is on a registry, in an OCI layout or in an archive of one.",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    { long: "artifact-type", value: "type", help: "Only referrers of this type" },
    { long: "depth", value: "int", help: "Levels of the tree (default: all)" },
    { long: "format", value: "string", help: '"tree" (default) or "json"' },
    { long: "platform", value: "string", help: 'Of an index: the image for a platform ("linux/arm64")' },
    { long: "verbose", short: "v", help: "Show annotations too" },
  ],
  unsupported: ["distribution-spec", "oci-layout"],
  args: [1, 1],
  examples: [
    "teu artifact discover localhost:5000/hello:1.0",
    "teu artifact discover --artifact-type application/spdx+json --format json oci:layout:1.0",
  ],
  run: async (context, input) => {
    const format = input.text("format") ?? "tree";
    if (format !== "tree" && format !== "json")
      throw usageError(`the format ${JSON.stringify(format)} is not known`, { fallback: "use tree or json" });
    const depth = depthOf(input);
    const artifactType = input.text("artifact-type");
    const platform = input.text("platform");
    const { scope } = context;
    await using places = new Places(context);
    const source = await places.source(parseTransportName(input.args[0] ?? ""), accessOf(input));
    const descriptor =
      platform === undefined
        ? await source.resolve(scope)
        : (await openImage(scope, source, parsePlatform(platform))).document.descriptor;
    const referrers = await referrersTree(scope, source, descriptor.digest as Digest, {
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(depth === undefined ? {} : { depth }),
    });
    if (format === "json") {
      const { mediaType, digest, size } = descriptor;
      const image = { reference: source.name, mediaType, digest, size };
      context.print(JSON.stringify({ ...image, referrers: referrers.map(jsonOf) }));
      return 0;
    }
    context.print(`${source.name.replace(/@sha(?:256|512):[a-f0-9]+$/, "")}@${descriptor.digest}`);
    for (const line of treeLines(referrers, input.flag("verbose"))) context.print(line);
    return 0;
  },
};

function depthOf(input: CommandInput): number | undefined {
  const text = input.text("depth");
  if (text === undefined || /^[1-9][0-9]{0,5}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw usageError(`--depth ${JSON.stringify(text)} is no number of levels`, { fallback: "write 1 or more" });
}

function jsonOf({ descriptor, referrers }: Referrer): object {
  const { mediaType, digest, size, artifactType, annotations } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    referrers: referrers.map(jsonOf),
  };
}

/** Grouped by type, as oras shows it. */
function treeLines(referrers: readonly Referrer[], verbose: boolean): string[] {
  const types = Map.groupBy(referrers, ({ descriptor }) => descriptor.artifactType ?? "<unknown>");
  return branches(
    [...types].map(([type, ones]) => ({
      head: printable(type),
      below: branches(ones.map((one) => ({ head: printable(one.descriptor.digest), below: belowOne(one, verbose) }))),
    })),
  );
}

function belowOne({ descriptor, referrers }: Referrer, verbose: boolean): string[] {
  const annotations = verbose ? annotationLines(descriptor) : [];
  const others = treeLines(referrers, verbose);
  if (annotations.length === 0) return others;
  return [
    `${others.length === 0 ? "└──" : "├──"} [annotations]`,
    ...annotations.map((line) => (others.length === 0 ? `    ${line}` : `│   ${line}`)),
    ...others,
  ];
}

function annotationLines({ annotations }: Descriptor): string[] {
  return branches(
    Object.entries(annotations ?? {})
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({
        head: `${printable(key)}: ${printable(value)}`,
        below: [],
      })),
  );
}

function branches(nodes: readonly { readonly head: string; readonly below: readonly string[] }[]): string[] {
  return nodes.flatMap(({ head, below }, index) => {
    const isLast = index === nodes.length - 1;
    return [`${isLast ? "└──" : "├──"} ${head}`, ...below.map((line) => `${isLast ? "    " : "│   "}${line}`)];
  });
}
