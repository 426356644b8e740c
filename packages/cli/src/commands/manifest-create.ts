// manifest create: images of registries put together under one name to be, on this host.

import { isTeuError, TeuError } from "@teu/base/errors";
import { type ListMember, ManifestLists } from "@teu/engine/manifest-lists/manifest-lists";
import { parseReference, referenceText } from "@teu/image/reference";
import { type Image, Index, openImage } from "@teu/image/transport/open-image";
import type { ImageConfig, Platform } from "@teu/specs/image";
import type { Command, CommandContext } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { listFacts } from "../output/list-facts.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { type PlaceAccess, Places } from "../transports/open-place.ts";
import { parseRemote } from "../transports/remote-name.ts";

/** `teu manifest create`. */
export const command: Command = {
  usage: "create [OPTIONS] LIST IMAGE [IMAGE...]",
  summary: "Put images for several platforms together",
  description:
    "LIST is the name that it gets on a registry, by `teu manifest push`. The images must be on registries already.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "amend", short: "a", help: "Add to a list that is there" },
    jsonOption("say what is in the list"),
  ],
  args: [2, Number.POSITIVE_INFINITY],
  examples: ["teu manifest create localhost:5000/app:1.0 localhost:5000/app:1.0-amd64 localhost:5000/app:1.0-arm64"],
  run: async (context, input) => {
    const [list = "", ...images] = input.args;
    const name = parseReference(list);
    const json = wantsJson(input);
    const access = accessOf(input);
    await using places = new Places(context);
    const members: ListMember[] = [];
    for (const text of images) members.push(await find(context, places, access, text));
    const lists = new ManifestLists(context.root);
    const made = await lists.create(context.scope, { name, members }, { amend: input.flag("amend") });
    context.print(json ? JSON.stringify(listFacts(made)) : `Created manifest list ${referenceText(name)}`);
    return 0;
  },
};

async function find(context: CommandContext, places: Places, access: PlaceAccess, text: string): Promise<ListMember> {
  const name = parseRemote(text);
  const image = await openImage(context.scope, await places.source(name, access));
  if (image instanceof Index)
    throw new TeuError({
      code: "invalid",
      op: "create manifest list",
      subject: text,
      message: "it is for several platforms itself",
      hint: "name its images by digest: `teu digest --platform`",
    });
  const { mediaType, digest, size } = image.document.descriptor;
  const platform = await platformOf(context, image);
  return {
    reference: name.reference,
    descriptor: { mediaType, digest, size, ...(platform === null ? {} : { platform }) },
  };
}

/** What the config says; null for artifacts, whose config is none of an image. */
async function platformOf({ scope }: CommandContext, image: Image): Promise<Platform | null> {
  let config: ImageConfig;
  try {
    config = await image.config(scope);
  } catch (error) {
    if (isTeuError(error, "invalid")) return null;
    throw error;
  }
  const { os, architecture, variant } = config;
  const [version, features] = [config["os.version"], config["os.features"]];
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features === undefined ? {} : { "os.features": features }),
    ...(variant === undefined ? {} : { variant }),
  };
}
