// delete: a tag or a manifest on a registry, an image of a layout.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { RegistryClient } from "@teu/distribution/client/registry-client";
import { type Reference, referenceName, referenceText } from "@teu/image/reference";
import type { Command, CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { forEachName } from "../output/each.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import { Places } from "../transports/open-place.ts";
import { parseExactReference } from "../transports/remote-name.ts";
import { parseTransportName, type TransportName } from "../transports/transport-name.ts";

/** `teu delete`. */
export const command: Command = {
  usage: "delete [OPTIONS] NAME:TAG|NAME@DIGEST|oci:DIR:NAME...",
  summary: "Delete tags and manifests on a registry, and images of layouts",
  description: [
    "By tag only the tag is deleted, by digest the manifest with all its tags. Blobs that nothing needs are the registry's business;",
    "of a layout (oci:DIR:NAME, oci:DIR@DIGEST) they are deleted, too. Images of this host are removed by `teu rmi`.",
  ].join("\n"),
  options: [
    ...ACCESS_OPTIONS,
    jsonOption("say what was deleted"),
    { long: "manifest", help: "By tag too: what the tag stands for, with all its tags" },
  ],
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu delete localhost:5000/hello:1.0",
    "teu delete --manifest localhost:5000/hello:1.0",
    "teu delete oci:layout:1.0",
  ],
  run: async (context, input) => {
    // All names are read before anything is deleted.
    const targets = new Map(input.args.map((text) => [text, parseTarget(text)]));
    const manifest = input.flag("manifest");
    const json = wantsJson(input) ? "deleted" : undefined;
    await using places = new Places(context);
    const act = async (text: string): Promise<string> => {
      const target = targets.get(text) ?? parseTarget(text);
      if (target.kind === "layout") return await removeFromLayout(context, target, manifest);
      const client = await places.client(target.reference.domain, accessOf(input));
      return await remove(context, client, target.reference, manifest);
    };
    return await forEachName(context, input.args, act, json);
  },
};

interface LayoutTarget {
  readonly kind: "layout";
  readonly text: string;
  readonly path: string;
  readonly image: string;
}

type Target = LayoutTarget | { readonly kind: "registry"; readonly reference: Reference };

/** Places in which there is nothing to delete by name, and what does instead. */
const WHOLE: Readonly<Record<Exclude<TransportName["transport"], "docker" | "oci">, string>> = {
  "oci-archive": "remove the file, or copy what you want to keep into another one",
  "docker-archive": "remove the file, or copy what you want to keep into another one",
  dir: "it holds one image: remove the directory",
  "docker-daemon": "use `docker rmi`",
  containers: "use `teu rmi`",
};

function parseTarget(text: string): Target {
  const name = parseTransportName(text);
  if (name.transport === "docker") return { kind: "registry", reference: parseExactReference(text) };
  if (name.transport !== "oci")
    throw usageError(`nothing can be deleted from ${name.transport}:`, { fallback: WHOLE[name.transport] });
  const { path, image } = name;
  if (image !== undefined) return { kind: "layout", text, path, image };
  throw usageError(`${JSON.stringify(text)} names a layout, not an image in it`, {
    fallback: "write oci:DIR:NAME, oci:DIR@DIGEST, or oci:DIR:@0 for the first one",
  });
}

async function removeFromLayout(
  { scope }: CommandContext,
  { text, path, image }: LayoutTarget,
  allNames: boolean,
): Promise<string> {
  const { deleteFromLayout } = await import("@teu/image/transport/delete-image");
  const { entries } = await deleteFromLayout(scope, { name: text, directory: path, reference: image, allNames });
  return allNames ? `oci:${path}@${entries[0]?.digest ?? ""}` : text;
}

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
    // One that deletes nothing at all says so.
    if (/read-only|deleting is disabled/.test(error.what)) throw error;
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
