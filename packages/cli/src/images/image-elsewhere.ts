// An image that is somewhere else than in this host's store, as far as its documents tell of it: no layer is read.

import { TeuError } from "@teu/base/errors";
import { type ImageFacts, imageFacts } from "@teu/engine/images/image-facts";
import { type Digest, parseDigest } from "@teu/image/digest";
import { familiarText } from "@teu/image/reference";
import { openImage } from "@teu/image/transport/open-image";
import { formatPlatform, hostPlatform, parsePlatform, platformMatches } from "@teu/image/platform";
import type { ImageConfig, Platform } from "@teu/specs/image";
import type { CommandContext } from "../command.ts";
import { type PlaceAccess, Places } from "../transports/open-place.ts";
import type { TransportName } from "../transports/transport-name.ts";

/** What was found out. */
export interface ImageElsewhere {
  readonly facts: ImageFacts;
  readonly config: ImageConfig;
  /** Of the layers as they are stored, lowest first: bytes. */
  readonly sizes: readonly number[];
}

/** Reads it; of an index the image for a platform, without one for this machine's. @throws TeuError `not-found`, `invalid` for an artifact. */
export async function lookElsewhere(
  context: CommandContext,
  name: TransportName,
  access: PlaceAccess,
  platform: string | undefined,
): Promise<ImageElsewhere> {
  const { scope } = context;
  await using places = new Places(context);
  const source = await places.source(name, access);
  const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
  const target = await source.resolve(scope);
  const image = await openImage(scope, source, wanted);
  const config = await image.config(scope);
  // Without an index nothing was chosen.
  if (platform !== undefined && !platformMatches(wanted, config)) throw otherPlatform(name, wanted, config);
  const sizes = image.manifest.layers.map(({ size }) => size);
  const facts = imageFacts({
    id: image.manifest.config.digest,
    ...namesOf(name, parseDigest(target.digest)),
    config,
    size: sizes.reduce((all, size) => all + size, 0),
    target,
  });
  return { facts, config, sizes };
}

function otherPlatform(name: TransportName, wanted: Platform, config: ImageConfig): TeuError {
  return new TeuError({
    code: "not-found",
    op: "read image",
    subject: name.text,
    message: `no manifest for ${formatPlatform(wanted)}`,
    hint: `it exists for ${formatPlatform(config)}`,
  });
}

function namesOf(name: TransportName, digest: Digest): { tags: string[]; digests: string[] } {
  if (name.transport !== "docker") return { tags: [], digests: [] };
  const { tag, digest: _, ...repository } = name.reference;
  return {
    tags: tag === undefined ? [] : [familiarText({ ...repository, tag })],
    digests: [familiarText({ ...repository, digest })],
  };
}
