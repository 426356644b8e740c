// manifest inspect: the document that a name stands for, on this host's lists, a registry or any other place.

import { isTeuError } from "@teu/base/errors";
import { indexOfList, ManifestLists } from "@teu/engine/manifest-lists/manifest-lists";
import { MEDIA_TYPES } from "@teu/specs/image";
import { type Image, Index, openDocument, openImage } from "@teu/image/transport/open-image";
import type { ImageSource } from "@teu/image/transport/source-and-sink";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { wantsJson } from "../options/json-format.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** `teu manifest inspect`. */
export const command: Command = {
  usage: "inspect [OPTIONS] IMAGE",
  summary: "Show a manifest or list",
  description: "IMAGE is a list of this host, or a name as `teu copy` takes it.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", value: "string", help: '"json": all on one line; failures as JSON, too' },
    { long: "raw", help: "The exact bytes, whose digest is the image's" },
    { long: "verbose", short: "v", help: "Descriptor and content of every manifest" },
  ],
  args: [1, 1],
  examples: ["teu manifest inspect localhost:5000/app:1.0", "teu manifest inspect --raw oci:layout:1.0"],
  run: async (context, input) => {
    const name = parseTransportName(input.args[0] ?? "");
    const raw = input.flag("raw");
    if (wantsJson(input) && raw)
      throw usageError("--raw and --format exclude each other", { fallback: "the exact bytes are JSON anyhow" });
    const local = await localList(context, name);
    if (local !== null) {
      show(context, input, local);
      return 0;
    }
    await using places = new Places(context);
    const source = await places.source(name, accessOf(input));
    const image = await openImage(context.scope, source);
    if (input.flag("verbose")) context.print(textOf(input, await verbose(context, source, image)));
    else show(context, input, image.document.bytes);
    return 0;
  },
};

async function localList(context: CommandContext, name: TransportName): Promise<Uint8Array | null> {
  if (name.transport !== "docker") return null;
  try {
    const list = await new ManifestLists(context.root).find(context.scope, name.reference);
    return list === null ? null : indexOfList(list).bytes;
  } catch (error) {
    // Somebody else's root: then there are no lists of this user's.
    if (isTeuError(error, "denied")) return null;
    throw error;
  }
}

function show(context: CommandContext, input: CommandInput, bytes: Uint8Array): void {
  if (input.flag("raw")) context.io.stdout.write(bytes);
  else context.print(textOf(input, JSON.parse(Buffer.from(bytes).toString("utf8"))));
}

/** As Docker shows it: one object for an image, a list of them for several platforms. */
async function verbose({ scope }: CommandContext, source: ImageSource, image: Image | Index): Promise<unknown> {
  if (!(image instanceof Index)) return described(source, image);
  const all: unknown[] = [];
  for (const entry of image.documents) all.push(described(source, await openDocument(scope, source, entry)));
  return all;
}

function described(source: ImageSource, image: Image | Index): unknown {
  const { descriptor, bytes } = image.document;
  const kind =
    image instanceof Index
      ? "OCIIndex"
      : descriptor.mediaType === MEDIA_TYPES.dockerManifest
        ? "SchemaV2Manifest"
        : "OCIManifest";
  const ref =
    source.repository === undefined ? source.name : `${source.repository.domain}/${source.repository.repository}`;
  return {
    Ref: `${ref}@${descriptor.digest}`,
    Descriptor: descriptor,
    [kind]: JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown,
  };
}

function textOf(input: CommandInput, value: unknown): string {
  return wantsJson(input) ? JSON.stringify(value) : JSON.stringify(value, null, 2);
}
