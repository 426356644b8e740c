// image append: tar files and directories as further layers of an image.

import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fileError } from "@teu/files/addon";
import { appendLayers } from "@teu/image/transforms/change-layers";
import { timestampText } from "@teu/image/transforms/timestamps";
import type { LayerValue } from "@teu/image/values/layer-value";
import { directoryLayer, fileLayer } from "@teu/image/values/make-layer";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { CHANGE_OPTIONS, changeImage, PLACES_HELP, type Workshop } from "../images/change-image.ts";
import { compressionOf, levelOf, NEW_LAYER_OPTIONS } from "../images/compress-options.ts";
import { visibleText } from "../output/visible-text.ts";

/** `teu image append`. */
export const command: Command = {
  usage: "append [OPTIONS] IMAGE LAYER [LAYER...]",
  summary: "Add tar files or directories to an image as layers",
  description: [
    'LAYER is a tar, a compressed tar (kept as it is) or a directory. "scratch" is an image without layers.',
    PLACES_HELP,
  ].join("\n"),
  options: [
    ...CHANGE_OPTIONS,
    ...NEW_LAYER_OPTIONS,
    { long: "created-by", value: "string", help: "What the history says of how it was made" },
    { long: "message", short: "m", value: "string", help: "Comment in the history" },
    { long: "owner", value: "uid:gid", help: "Directories: whose everything is; default: as on disk" },
    { long: "prefix", value: "path", help: "Directories: where in the image their content goes" },
  ],
  bulk: true,
  args: [2, Number.POSITIVE_INFINITY],
  examples: [
    "teu image append -t hello:more hello files.tar",
    "teu image append --prefix /srv --owner 0:0 -t oci:layout:site scratch public/",
  ],
  run: async (context, input) => {
    const owner = ownerOf(input);
    const [, ...files] = input.args;
    const kinds = await Promise.all(files.map(async (path) => ({ path, directory: await isDirectory(path) })));
    const message = input.text("message");
    return await changeImage(context, input, async (work) => {
      const layers = kinds.map(({ path, directory }) => layerOf(input, work, path, directory, owner));
      const history = {
        ...(work.timestamp === undefined ? {} : { created: timestampText(work.timestamp) }),
        created_by: input.text("created-by") ?? "teu image append",
        ...(message === undefined ? {} : { comment: message }),
      };
      return { image: appendLayers(layers, history) };
    });
  },
};

type Owner = { readonly uid: number; readonly gid: number } | undefined;

function layerOf(
  input: CommandInput,
  { scratch, latestNs, packing }: Workshop,
  path: string,
  directory: boolean,
  owner: Owner,
): LayerValue {
  const compression = compressionOf(input);
  const options = {
    scratch,
    ...latestNs,
    ...packing(visibleText(basename(path))),
    ...levelOf(input),
    ...(compression === undefined ? {} : { compression }),
  };
  if (!directory) return fileLayer(path, options);
  const prefix = input.text("prefix");
  return directoryLayer(path, {
    ...options,
    ...(prefix === undefined ? {} : { prefix }),
    ...(owner === undefined ? {} : { owner }),
  });
}

function ownerOf(input: CommandInput): Owner {
  const text = input.text("owner");
  if (text === undefined) return undefined;
  const ids = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(text);
  if (ids !== null) return { uid: Number(ids[1]), gid: Number(ids[2]) };
  throw usageError(`the owner ${JSON.stringify(text)} is not UID:GID`, { fallback: "write two numbers" });
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw fileError("read layer", path, error);
  }
}
