// image tree: the layers of images, how large they are, what they hold, and which images share them.

import { formatSize } from "@teu/base/bytes";
import type { Scope } from "@teu/base/scope";
import { topChainId } from "@teu/image/chain-id";
import { parseDigest } from "@teu/image/digest";
import { readTree } from "@teu/image/files/read-tree";
import { historyPlace } from "@teu/image/transforms/change-layers";
import { hostPlatform, formatPlatform, parsePlatform } from "@teu/image/platform";
import { familiarText, parseReference } from "@teu/image/reference";
import type { ImageValue } from "@teu/image/values/image-value";
import { openValue } from "@teu/image/values/value-source";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { parseImagePlace } from "../images/image-place.ts";
import { columns, ellipsis } from "../output/table.ts";
import { visibleText } from "../output/visible-text.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";

/** `teu image tree`. */
export const command: Command = {
  usage: "tree [OPTIONS] IMAGE [IMAGE...]",
  summary: "Show the layers of images, what they hold and who shares them",
  description:
    "Layers are shown from the bottom up. Without --files nothing but manifest and config is read. Shared with images that are named too, and, where an image of this host is named, with all of this host.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "files", short: "f", help: "Show what each layer adds, replaces (+) and deletes (-)" },
    { long: "format", value: "string", help: '"json": one object for each image' },
    { long: "no-trunc", help: "Show everything in full" },
    { long: "platform", value: "string", help: 'Platform of the images ("linux/arm64")' },
  ],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu image tree hello", "teu image tree --files docker://localhost:5000/app:v1"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const platform = input.text("platform");
    const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
    const names = input.args.map((text) => ({ text, place: parseImagePlace(text) }));
    await using places = new Places(context);
    const images: Described[] = [];
    for (const { text, place } of names) {
      const value = await openValue(context.scope, await places.source(place, accessOf(input)), wanted);
      images.push(await describe(context.scope, text, value, input.flag("files")));
    }
    const local = names.some(({ place }) => place.transport === "containers") ? await localChains(context) : [];
    const owners = ownersOf([
      ...images.map(({ image, layers }) => ({ image, chains: layers.map(({ chainId }) => chainId) })),
      ...local,
    ]);
    for (const image of images) {
      const shared = { ...image, layers: image.layers.map((layer) => withOwners(layer, image, owners)) };
      if (json) context.print(JSON.stringify(shared));
      else print(context, input, shared);
    }
    return 0;
  },
};

interface LayerFile {
  readonly kind: "file" | "deleted" | "opaque";
  readonly path: string;
  readonly type: string;
  readonly size: number;
}

interface DescribedLayer {
  readonly digest: string;
  readonly diffId: string;
  readonly chainId: string;
  readonly mediaType: string;
  readonly size: number;
  readonly createdBy: string;
  readonly sharedWith: readonly string[];
  readonly files?: readonly LayerFile[];
}

interface Described {
  readonly image: string;
  readonly digest: string;
  readonly id: string;
  readonly platform: string;
  readonly layers: readonly DescribedLayer[];
}

async function describe(scope: Scope, image: string, value: ImageValue, files: boolean): Promise<Described> {
  const config = await value.config(scope);
  const manifest = await value.manifest(scope);
  const held = files ? await heldFiles(scope, value) : null;
  const diffIds = config.rootfs.diff_ids.map(parseDigest);
  const history = config.history ?? [];
  return {
    image,
    digest: (await value.document(scope)).descriptor.digest,
    id: manifest.config.digest,
    platform: formatPlatform(config),
    layers: manifest.layers.map(({ digest, mediaType, size }, index) => ({
      digest,
      diffId: diffIds[index] ?? "",
      chainId: topChainId(diffIds.slice(0, index + 1)) ?? "",
      mediaType,
      size,
      createdBy: history[historyPlace(history, index)]?.created_by ?? "",
      sharedWith: [],
      ...(held === null ? {} : { files: held[index] ?? [] }),
    })),
  };
}

async function heldFiles(scope: Scope, value: ImageValue): Promise<LayerFile[][]> {
  const held: LayerFile[][] = (await value.layers(scope)).map(() => []);
  await readTree(scope, value, {
    change: (layer, { kind, path, entry }) => held[layer]?.push({ kind, path, type: entry.type, size: entry.size }),
  });
  return held;
}

interface Chains {
  readonly image: string;
  readonly chains: readonly string[];
}

async function localChains(context: CommandContext): Promise<Chains[]> {
  await using engine = await context.engine();
  return (await engine.images.list(context.scope)).flatMap(({ id, names, config }) => {
    const diffIds = config.rootfs.diff_ids.map(parseDigest);
    const chains = diffIds.map((_, index) => topChainId(diffIds.slice(0, index + 1)) ?? "");
    const shown = names.length === 0 ? [id.slice(7, 19)] : names.map((name) => familiarText(parseReference(name)));
    return shown.map((image) => ({ image, chains }));
  });
}

function ownersOf(all: readonly Chains[]): ReadonlyMap<string, ReadonlySet<string>> {
  const owners = new Map<string, Set<string>>();
  for (const { image, chains } of all)
    for (const chain of chains) owners.set(chain, (owners.get(chain) ?? new Set()).add(image));
  return owners;
}

function withOwners(
  layer: DescribedLayer,
  { image }: Described,
  owners: ReadonlyMap<string, ReadonlySet<string>>,
): DescribedLayer {
  const others = [...(owners.get(layer.chainId) ?? [])].filter((name) => name !== image && name !== `${image}:latest`);
  return { ...layer, sharedWith: others.toSorted() };
}

function print(context: CommandContext, input: CommandInput, { image, digest, platform, layers }: Described): void {
  const full = input.flag("no-trunc");
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  context.print(`${visibleText(image)}  ${platform}  ${full ? digest : digest.slice(7, 19)}  ${formatSize(size)}`);
  const rows = columns(
    layers.map((layer, index) => [
      index === layers.length - 1 ? "└─" : "├─",
      full ? layer.digest : layer.digest.slice(7, 19),
      formatSize(layer.size),
      visibleText(full ? layer.createdBy : ellipsis(layer.createdBy, 45)),
      layer.sharedWith.length === 0 ? "" : `also in ${layer.sharedWith.join(", ")}`,
    ]),
    2,
  );
  for (const [index, row] of rows.entries()) {
    context.print(row);
    const line = index === layers.length - 1 ? " " : "│";
    for (const { kind, path, type, size: bytes } of layers[index]?.files ?? []) {
      const shown = visibleText(type === "directory" ? `${path}/` : path);
      const what =
        kind === "file"
          ? `+ ${shown}`
          : kind === "deleted"
            ? `- ${shown}`
            : `- ${visibleText(path).replace(/\/$/, "")}/*`;
      context.print(`${line}    ${what}${type === "file" && kind === "file" ? `  ${formatSize(bytes)}` : ""}`);
    }
  }
}
