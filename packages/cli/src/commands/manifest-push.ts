// manifest push: the images of a list, as far as they are not there, and then the list itself.

import { registrySink, registrySource } from "@teu/distribution/client/registry-image";
import { indexOfList, ManifestLists } from "@teu/engine/manifest-lists/manifest-lists";
import { digestOf, parseDigest } from "@teu/image/digest";
import { parseReference, referenceText, withDigest } from "@teu/image/reference";
import { copyImage } from "@teu/image/transport/copy-image";
import type { Command } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { copyProgress } from "../output/copy-progress.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";

/** `teu manifest push`. */
export const command: Command = {
  usage: "push [OPTIONS] LIST",
  summary: "Push a list with its images",
  description: "Images that are in other repositories or registries are copied; within one registry nothing is sent.",
  options: [
    ...ACCESS_OPTIONS,
    jsonOption("say what was pushed"),
    { long: "purge", short: "p", help: "Remove the list from this host afterwards" },
    { long: "quiet", short: "q", help: "Show only the digest" },
  ],
  args: [1, 1],
  examples: ["teu manifest push --purge localhost:5000/app:1.0"],
  run: async (context, input) => {
    const { scope } = context;
    const name = parseReference(input.args[0] ?? "");
    const json = wantsJson(input);
    const lists = new ManifestLists(context.root);
    const list = await lists.get(scope, name);
    const access = accessOf(input);
    await using places = new Places(context);
    const target = await places.client(name.domain, access);
    {
      using progress = copyProgress(context, input.flag("quiet") || json);
      for (const { reference, descriptor } of list.members) {
        const digest = parseDigest(descriptor.digest);
        const client = await places.client(reference.domain, access);
        const source = registrySource(client, withDigest(reference, digest));
        const { domain, repository } = name;
        await using sink = registrySink(target, { domain, repository, digest });
        await copyImage(scope, { source, sink, platform: "all", progress: progress.copied });
      }
    }
    const { mediaType, bytes } = indexOfList(list);
    const digest = digestOf(bytes);
    await target.pushManifest(scope, name, { mediaType, bytes, reference: name.tag ?? digest });
    if (input.flag("purge")) await lists.remove(scope, name);
    const what = { reference: referenceText(name), digest, mediaType, size: bytes.length };
    context.print(json ? JSON.stringify(what) : digest);
    return 0;
  },
};
