// delete: a tag or a manifest on a registry.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { RegistryClient } from "@teu/distribution/client/registry-client";
import { type Reference, referenceName, referenceText } from "@teu/image/reference";
import type { Command, CommandContext } from "../command.ts";
import { forEachName } from "../output/each.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseExactReference } from "../transports/remote-name.ts";

/** `teu delete`. */
export const command: Command = {
  usage: "delete [OPTIONS] NAME:TAG|NAME@DIGEST...",
  summary: "Delete tags and manifests on a registry",
  description: [
    "By tag only the tag is deleted, by digest the manifest with all its tags. Blobs that nothing needs are the registry's business.",
    "Images of this host are removed by `teu rmi`.",
  ].join("\n"),
  options: [...ACCESS_OPTIONS, { long: "manifest", help: "By tag too: what the tag stands for, with all its tags" }],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu delete localhost:5000/hello:1.0", "teu delete --manifest localhost:5000/hello:1.0"],
  run: async (context, input) => {
    // All names are read before anything is deleted.
    const references = new Map(input.args.map((text) => [text, parseExactReference(text)]));
    await using places = new Places(context);
    return await forEachName(context, input.args, async (text) => {
      const reference = references.get(text) ?? parseExactReference(text);
      const client = await places.client(reference.domain, accessOf(input));
      return await remove(context, client, reference, input.flag("manifest"));
    });
  },
};

async function remove(
  context: CommandContext,
  client: RegistryClient,
  reference: Reference,
  manifest: boolean,
): Promise<string> {
  const { scope } = context;
  if (reference.digest !== undefined || manifest) {
    const digest = reference.digest ?? (await client.resolve(scope, reference)).digest;
    const { domain, repository } = reference;
    await client.delete(scope, { domain, repository, digest });
    return `${referenceName(reference)}@${digest}`;
  }
  try {
    await client.delete(scope, reference);
  } catch (error) {
    // Registries of the older kind know digests only, each with its own answer.
    if (!isTeuError(error, "unsupported") && !isTeuError(error, "invalid")) throw error;
    throw new TeuError({
      code: "unsupported",
      op: "delete tag",
      subject: referenceText(reference),
      message: "the registry deletes no single tags",
      cause: error,
      hint: "--manifest deletes what the tag stands for, with all its tags",
    });
  }
  return referenceText(reference);
}
