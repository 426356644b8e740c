// image mutate: another config, other annotations, layers, compression, media types, platforms.

import { basename } from "node:path";
import type { Compression } from "@teu/image/compression/detect";
import { parsePlatform } from "@teu/image/platform";
import { changeAnnotations, changeIndexAnnotations } from "@teu/image/transforms/change-annotations";
import { changeConfig, type ConfigChanges } from "@teu/image/transforms/change-config";
import { appendLayers, type LayerChoice, removeLayer, replaceLayer } from "@teu/image/transforms/change-layers";
import { setIndexMediaTypes, setMediaTypes, type TypeFamily } from "@teu/image/transforms/media-types";
import { recompress } from "@teu/image/transforms/recompress";
import type { ImageTransform } from "@teu/image/values/image-value";
import type { IndexValue } from "@teu/image/values/index-value";
import { fileLayer } from "@teu/image/values/make-layer";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { CHANGE_OPTIONS, changeImage, PLACES_HELP, type Workshop } from "../images/change-image.ts";
import { COMPRESS_OPTIONS, compressionOf, levelOf } from "../images/compress-options.ts";
import { visibleText } from "../output/visible-text.ts";

/** `teu image mutate`. */
export const command: Command = {
  usage: "mutate [OPTIONS] IMAGE",
  summary: "Change an image's settings, annotations, layers or form",
  description: [
    PLACES_HELP,
    "Settings that take several words are JSON or given several times; empty removes one. LAYER is a place (0 at the bottom, -1 at the top) or a digest.",
  ].join("\n"),
  options: [
    ...CHANGE_OPTIONS,
    ...COMPRESS_OPTIONS,
    { long: "annotation", value: "name=value", repeat: true, help: "Annotation of the manifest" },
    { long: "append", value: "file", repeat: true, help: "A tar file to add as a layer" },
    { long: "author", value: "string", help: "Who made it" },
    { long: "cmd", value: "string", repeat: true, help: "Command" },
    { long: "created", value: "time", help: "When it was made (RFC 3339)" },
    { long: "entrypoint", value: "string", repeat: true, help: "Entry point; it takes the command away" },
    { long: "env", short: "e", value: "name=value", repeat: true, help: "Variable" },
    { long: "exposed-ports", value: "port", repeat: true, help: 'Port to expose ("80/tcp")' },
    { long: "index-annotation", value: "name=value", repeat: true, help: "With --all: annotation of the index" },
    { long: "label", short: "l", value: "name=value", repeat: true, help: "Label" },
    { long: "media-types", value: "string", help: '"oci" or "docker"' },
    { long: "platforms", value: "list", help: "With --all: keep only these platforms" },
    { long: "remove-annotation", value: "name", repeat: true, help: "Annotation to remove" },
    { long: "remove-label", value: "name", repeat: true, help: "Label to remove" },
    { long: "remove-layer", value: "layer", repeat: true, help: "Layer to remove, one after the other" },
    { long: "remove-volume", value: "path", repeat: true, help: "Volume to remove" },
    { long: "replace-layer", value: "layer=file", repeat: true, help: "A tar file in the place of a layer" },
    { long: "set-platform", value: "string", help: 'What it is for ("linux/arm64")' },
    { long: "stop-signal", value: "string", help: "Signal that stops it" },
    { long: "unexpose", value: "port", repeat: true, help: "Port to expose no longer" },
    { long: "unset-env", value: "name", repeat: true, help: "Variable to remove" },
    { long: "user", short: "u", value: "string", help: "User" },
    { long: "volume", value: "path", repeat: true, help: "Volume" },
    { long: "workdir", short: "w", value: "path", help: "Working directory" },
  ],
  bulk: true,
  args: [1, 1],
  examples: [
    "teu image mutate -e DEBUG=1 --label stage=test -t hello:debug hello",
    "teu image mutate --all --entrypoint '[\"/init\"]' docker://localhost:5000/app:v1",
    "teu image mutate --compress zstd --media-types oci -t oci:layout:v1 docker://localhost:5000/app:v1",
  ],
  run: async (context, input) => {
    const config = configChanges(input);
    const annotations = annotationChanges(input, "annotation");
    const family = familyOf(input);
    const compression = compressionOf(input);
    return await changeImage(context, input, async (work) => {
      const steps: ImageTransform[] = layerSteps(input, work, compression);
      if (Object.keys(config).length > 0) steps.push(changeConfig(config));
      if (Object.keys(annotations).length > 0) steps.push(changeAnnotations(annotations));
      if (compression !== undefined)
        steps.push(
          recompress({ compression, ...levelOf(input), scratch: work.scratch, force: input.flag("force-compress") }),
        );
      if (family !== undefined) steps.push(setMediaTypes(family));
      return { image: (image) => image.apply(...steps), index: (index) => changedIndex(input, index, family) };
    });
  },
};

function configChanges(input: CommandInput): ConfigChanges {
  const given = <K extends keyof ConfigChanges>(key: K, value: ConfigChanges[K] | undefined): Partial<ConfigChanges> =>
    value === undefined ? {} : { [key]: value };
  const list = (name: string): readonly string[] | undefined => {
    const values = input.list(name);
    return values.length === 0 ? undefined : values;
  };
  const word = (name: string): string | null | undefined => {
    const text = input.text(name);
    return text === "" ? null : text;
  };
  const platform = input.text("set-platform");
  return {
    ...given("env", list("env")),
    ...given("removeEnv", list("unset-env")),
    ...given("labels", list("label") === undefined ? undefined : pairs("label", input.list("label"))),
    ...given("removeLabels", list("remove-label")),
    ...given("entrypoint", words(input, "entrypoint")),
    ...given("cmd", words(input, "cmd")),
    ...given("user", word("user")),
    ...given("workdir", word("workdir")),
    ...given("stopSignal", word("stop-signal")),
    ...given("exposedPorts", list("exposed-ports")),
    ...given("removePorts", list("unexpose")),
    ...given("volumes", list("volume")),
    ...given("removeVolumes", list("remove-volume")),
    ...given("author", word("author")),
    ...given("created", word("created")),
    ...given("platform", platform === undefined ? undefined : parsePlatform(platform)),
  };
}

/** A JSON array, or one word for each time the flag was given; an empty one alone removes. */
function words(input: CommandInput, name: string): readonly string[] | null | undefined {
  const values = input.list(name);
  const [first, ...more] = values;
  if (first === undefined) return undefined;
  if (more.length > 0 || !first.startsWith("[")) return more.length === 0 && first === "" ? null : values;
  let parsed: unknown;
  try {
    parsed = JSON.parse(first);
  } catch {
    parsed = null;
  }
  if (Array.isArray(parsed) && parsed.every((word) => typeof word === "string")) return parsed;
  throw usageError(`--${name} is no JSON array of texts`, { fallback: `write --${name} '["a", "b"]'` });
}

function annotationChanges(input: CommandInput, name: string): Readonly<Record<string, string | null>> {
  const gone = name === "annotation" ? input.list("remove-annotation") : [];
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...pairs(name, input.list(name)) };
}

function pairs(flag: string, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const equals = value.indexOf("=");
      if (equals > 0) return [value.slice(0, equals), value.slice(equals + 1)];
      throw usageError(`--${flag} ${JSON.stringify(value)} is not NAME=VALUE`, {
        fallback: "write a name, =, a value",
      });
    }),
  );
}

function layerSteps(
  input: CommandInput,
  { scratch, latestNs, packing }: Workshop,
  compression: Compression | undefined,
): ImageTransform[] {
  const made = (file: string): ReturnType<typeof fileLayer> =>
    fileLayer(file, {
      scratch,
      ...latestNs,
      ...packing(visibleText(basename(file))),
      ...levelOf(input),
      ...(compression === undefined ? {} : { compression }),
    });
  return [
    ...input.list("remove-layer").map((text) => removeLayer(layerChoice(text))),
    ...Object.entries(pairs("replace-layer", input.list("replace-layer"))).map(([text, file]) =>
      replaceLayer(layerChoice(text), made(file)),
    ),
    ...input.list("append").map((file) => appendLayers([made(file)], { created_by: "teu image mutate --append" })),
  ];
}

function layerChoice(text: string): LayerChoice {
  return /^-?[0-9]{1,6}$/.test(text) ? Number(text) : text;
}

function familyOf(input: CommandInput): TypeFamily | undefined {
  const family = input.text("media-types");
  if (family === undefined || family === "oci" || family === "docker") return family;
  throw usageError(`the media types ${JSON.stringify(family)} are not known`, { fallback: "use oci or docker" });
}

function changedIndex(input: CommandInput, index: IndexValue, family: TypeFamily | undefined): IndexValue {
  const platforms = input.text("platforms");
  const annotations = annotationChanges(input, "index-annotation");
  let changed = platforms === undefined ? index : index.onlyPlatforms(platforms.split(",").map(parsePlatform));
  if (Object.keys(annotations).length > 0) changed = changeIndexAnnotations(changed, annotations);
  return family === undefined ? changed : setIndexMediaTypes(changed, family);
}
