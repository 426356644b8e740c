// load: images of an archive, either form, compressed or not. Verified like a pull; names move to what was loaded.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { parseDigest } from "@teu/image/digest";
import { loadArchive } from "@teu/image/docker-archive/load-archive";
import { isIndexType, isManifestType } from "@teu/image/documents";
import { choosePlatform, formatPlatform, hostPlatform } from "@teu/image/platform";
import { referenceText } from "@teu/image/reference";
import { type Descriptor, DOCUMENT_LIMITS, parseIndex } from "@teu/specs/image";

import { getImageName, type ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import type { LoadOptions } from "./images.ts";
import { isArtifact, readManifest } from "./image-of.ts";
import { registerImage } from "./register.ts";

/** Deeper indexes than this are nobody's images. */
const MAX_DEPTH = 4;

/** See `Images.load`. */
export async function loadImages(
  scope: Scope,
  context: ImageContext,
  source: AsyncIterable<Uint8Array>,
  { progress, moved }: LoadOptions = {},
): Promise<ImageRow[]> {
  await using lease = context.hold(scope);
  const rows: ImageRow[] = [];
  const found = await loadArchive(scope, source, lease.content);
  for (const { descriptor, names } of found) {
    // A layout may list anything (image-spec, image-layout.md): what is of no type of an image is none.
    if (found.length > 1 && !isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) continue;
    const manifest = await manifestFor(scope, lease.content, descriptor, 0);
    // Signatures and the like that lie beside the image; alone they are a mistake.
    if (found.length > 1 && isArtifact(await readManifest(scope, lease.content, manifest.digest))) continue;
    const given = names.filter((name) => name.digest === undefined).map(referenceText);
    const before = given.map((name) => [name, getImageName(context.db, name)?.imageId] as const);
    rows.push(
      await registerImage(scope, context, lease, {
        manifest,
        target: descriptor,
        names: given,
        ...(progress === undefined ? {} : { progress }),
      }),
    );
    for (const [name, from] of before) if (from !== undefined && from !== rows.at(-1)?.id) moved?.(name, from);
  }
  return rows;
}

/** The manifest of this host's platform below `descriptor`, of those that are in the store. */
async function manifestFor(
  scope: Scope,
  content: ContentStore,
  descriptor: Descriptor,
  depth: number,
): Promise<Descriptor> {
  if (!isIndexType(descriptor.mediaType)) return descriptor;
  if (depth >= MAX_DEPTH)
    throw new TeuError({
      code: "invalid",
      op: "load images",
      subject: descriptor.digest,
      message: `indexes are nested deeper than ${MAX_DEPTH}`,
    });
  const { manifests } = parseIndex(await content.readAll(scope, parseDigest(descriptor.digest), DOCUMENT_LIMITS.index));
  const here: Descriptor[] = [];
  for (const child of manifests) {
    const known = isIndexType(child.mediaType) || isManifestType(child.mediaType);
    if (known && (await content.info(scope, parseDigest(child.digest))) !== null) here.push(child);
  }
  // An archive often holds one image without saying for what.
  const chosen = choosePlatform(here, hostPlatform()) ?? (here.length === 1 ? here[0] : undefined);
  if (chosen !== undefined) return manifestFor(scope, content, chosen, depth + 1);
  throw new TeuError({
    code: "not-found",
    op: "load images",
    subject: descriptor.digest,
    message: `there is no image for ${formatPlatform(hostPlatform())} in it`,
  });
}
