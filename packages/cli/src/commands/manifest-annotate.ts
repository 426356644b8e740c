// manifest annotate: the platform of one image in a list of this host.

import { ManifestLists } from "@teu/engine/manifest-lists/manifest-lists";
import { parseReference } from "@teu/image/reference";
import type { Platform } from "@teu/specs/image";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { listFacts } from "../output/list-facts.ts";
import { parseRemote } from "../transports/remote-name.ts";

/** `teu manifest annotate`. */
export const command: Command = {
  usage: "annotate [OPTIONS] LIST IMAGE",
  summary: "Say for which platform an image in a list is",
  options: [
    { long: "arch", value: "string", help: 'Architecture ("arm64")' },
    jsonOption("say what is in the list then"),
    { long: "os", value: "string", help: 'Operating system ("linux")' },
    { long: "os-features", value: "string", repeat: true, help: "Features of the operating system; several by comma" },
    { long: "os-version", value: "string", help: "Version of the operating system" },
    { long: "variant", value: "string", help: 'Variant of the architecture ("v8")' },
  ],
  args: [2, 2],
  examples: ["teu manifest annotate --arch arm --variant v7 localhost:5000/app:1.0 localhost:5000/app:1.0-arm"],
  run: async (context, input) => {
    const [list = "", image = ""] = input.args;
    const json = wantsJson(input);
    const changes = changesOf(input);
    if (Object.keys(changes).length === 0)
      throw usageError("nothing is to be changed", { fallback: "see teu manifest annotate --help" });
    const lists = new ManifestLists(context.root);
    const { reference } = parseRemote(image);
    const changed = await lists.annotate(context.scope, parseReference(list), reference, changes);
    if (json) context.print(JSON.stringify(listFacts(changed)));
    return 0;
  },
};

function changesOf(input: CommandInput): Partial<Platform> {
  const [os, architecture, variant] = [input.text("os"), input.text("arch"), input.text("variant")];
  const version = input.text("os-version");
  const features = input.list("os-features").flatMap((value) => value.split(",").filter((part) => part !== ""));
  return {
    ...(architecture === undefined ? {} : { architecture }),
    ...(os === undefined ? {} : { os }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features.length === 0 ? {} : { "os.features": features }),
    ...(variant === undefined ? {} : { variant }),
  };
}
