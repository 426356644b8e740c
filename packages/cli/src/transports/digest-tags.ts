// Tags that belong to an image by its digest are images of their own, and copied after the image that they belong to.

import { digestOfTag } from "@teu/distribution/digest-tag";
import type { Digest } from "@teu/image/digest";
import { readLayoutIndex } from "@teu/image/layout/layout-directory";
import { REF_NAME } from "@teu/image/layout/layout-files";
import { copyImage } from "@teu/image/transport/copy-image";
import type { CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import type { PlaceAccess, Places } from "./open-place.ts";
import type { TransportName } from "./transport-name.ts";

interface Sides<T> {
  readonly from: T;
  readonly to: T;
}

/** @throws TeuError `invalid` (usage) unless both places hold several images by tag. */
export function checkDigestTags(names: Sides<TransportName>): void {
  for (const { transport, text } of [names.from, names.to]) {
    if (transport === "docker" || transport === "oci") continue;
    throw usageError(`--digest-tags: ${JSON.stringify(text)} holds no tags`, {
      fallback: "tags are in registries and OCI layouts",
    });
  }
}

/** Copies the tags of all `digests`; says which. */
export async function copyDigestTags(
  context: CommandContext,
  places: Places,
  names: Sides<TransportName>,
  sides: Sides<PlaceAccess>,
  digests: readonly Digest[],
): Promise<readonly string[]> {
  const wanted = new Set(digests);
  const copied: string[] = [];
  for (const tag of await tagsIn(context, places, names.from, sides.from)) {
    const digest = digestOfTag(tag);
    if (digest === null || !wanted.has(digest)) continue;
    const source = await places.source(tagged(names.from, tag), sides.from);
    const sink = await places.sink(tagged(names.to, tag), sides.to);
    await copyImage(context.scope, { source, sink, platform: "all" });
    copied.push(tag);
  }
  return copied;
}

async function tagsIn(
  { scope }: CommandContext,
  places: Places,
  name: TransportName,
  access: PlaceAccess,
): Promise<readonly string[]> {
  if (name.transport === "docker") {
    const client = await places.client(name.reference.domain, access);
    return await Array.fromAsync(client.tags(scope, name.reference));
  }
  if (name.transport !== "oci") return [];
  const { manifests } = await readLayoutIndex(scope, name.path);
  return manifests.flatMap((entry) => entry.annotations?.[REF_NAME] ?? []);
}

function tagged(name: TransportName, tag: string): TransportName {
  if (name.transport === "docker") {
    const { domain, repository } = name.reference;
    return { ...name, reference: { domain, repository, tag } };
  }
  return name.transport === "oci" ? { ...name, image: tag } : name;
}
