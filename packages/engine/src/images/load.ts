// load: images of an archive, either form, compressed or not. Verified like a pull; names move to what was loaded. Of an index all
// images that are in the archive, or those for the platforms that were asked for.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { parseDigest } from "@teu/image/digest";
import { archiveError } from "@teu/image/docker-archive/archive-file";
import { loadArchive } from "@teu/image/docker-archive/load-archive";
import { isIndexType, isManifestType } from "@teu/image/documents";
import { choosePlatform, formatPlatform, platformMatches } from "@teu/image/platform";
import { referenceText } from "@teu/image/reference";
import type { Descriptor, Platform } from "@teu/specs/image";

import type { HeldLease } from "../store/hold-lease.ts";
import { getImageName, type ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { isArtifact, readConfig, readManifest } from "./image-of.ts";
import type { LoadOptions } from "./images.ts";
import { registerImage, registerIndex } from "./register.ts";
import { splitIndex } from "./split-index.ts";

/** An image, and the names that the archive gave it. */
export interface LoadedRow {
  readonly row: ImageRow;
  readonly given: readonly string[];
}

/** See `Images.load`. */
export async function loadImages(
  scope: Scope,
  context: ImageContext,
  source: AsyncIterable<Uint8Array>,
  platforms: readonly Platform[],
  options: LoadOptions,
): Promise<LoadedRow[]> {
  try {
    return await loadAll(scope, context, source, platforms, options);
  } catch (error) {
    throw archiveError(options.name ?? "standard input", error);
  }
}

async function loadAll(
  scope: Scope,
  context: ImageContext,
  source: AsyncIterable<Uint8Array>,
  platforms: readonly Platform[],
  { progress, moved }: LoadOptions,
): Promise<LoadedRow[]> {
  await using lease = context.hold(scope);
  const rows: LoadedRow[] = [];
  const found = await loadArchive(scope, source, lease.content);
  const others: Platform[] = [];
  for (const { descriptor, names } of found) {
    const parts = await partsOf(scope, lease, descriptor, platforms, found.length === 1);
    if (parts === null) continue;
    others.push(...parts.others);
    if (parts.images.length === 0) continue;
    const given = names.filter((name) => name.digest === undefined).map(referenceText);
    const before = given.map((name) => [name, getImageName(context.db, name)?.imageId] as const);
    const options = { target: descriptor, names: given, ...(progress === undefined ? {} : { progress }) };
    const [only] = parts.images;
    const row =
      only?.digest === descriptor.digest
        ? await registerImage(scope, context, lease, { ...options, manifest: only })
        : await registerIndex(scope, context, lease, { ...options, manifests: parts.images, blobs: parts.blobs });
    rows.push({ row, given });
    for (const [name, from] of before)
      if (from !== undefined && from !== getImageName(context.db, name)?.imageId) moved?.(name, from);
  }
  if (rows.length === 0 && platforms.length > 0) throw nothingFor(platforms, others);
  return rows;
}

interface Parts {
  /** To be images here. */
  readonly images: readonly Descriptor[];
  readonly blobs: readonly ReturnType<typeof parseDigest>[];
  /** Platforms that nobody asked for. */
  readonly others: readonly Platform[];
}

/** Null: no image. `alone`: then it is a mistake. */
async function partsOf(
  scope: Scope,
  lease: HeldLease,
  descriptor: Descriptor,
  platforms: readonly Platform[],
  alone: boolean,
): Promise<Parts | null> {
  if (isIndexType(descriptor.mediaType)) return await partsOfIndex(scope, lease, descriptor, platforms, alone);
  // A layout may list anything (image-spec, image-layout.md): what is of no type of an image is none.
  if (!alone && !isManifestType(descriptor.mediaType)) return null;
  const manifest = await readManifest(scope, lease.content, descriptor.digest);
  // Signatures and the like that lie beside the image; alone they are refused where images are made.
  if (!alone && isArtifact(manifest)) return null;
  if (platforms.length === 0 || isArtifact(manifest)) return { images: [descriptor], blobs: [], others: [] };
  const platform = await platformOf(scope, lease, descriptor);
  const isWanted = platforms.some((wanted) => platformMatches(wanted, platform));
  return { images: isWanted ? [descriptor] : [], blobs: [], others: [platform] };
}

async function partsOfIndex(
  scope: Scope,
  lease: HeldLease,
  descriptor: Descriptor,
  platforms: readonly Platform[],
  alone: boolean,
): Promise<Parts | null> {
  const { images, indexes, others } = await splitIndex(scope, lease.content, descriptor);
  if (images.length === 0) {
    if (!alone) return null;
    const message = "no image for Linux is in it";
    throw new TeuError({ code: "not-found", op: "load images", subject: descriptor.digest, message });
  }
  if (platforms.length === 0) return { images, blobs: [...indexes, ...others], others: [] };
  const described: Descriptor[] = [];
  // An archive often holds one image without saying for what.
  for (const image of images)
    described.push({ ...image, platform: image.platform ?? (await platformOf(scope, lease, image)) });
  const chosen = new Set(platforms.flatMap((platform) => choosePlatform(described, platform) ?? []));
  return { images: [...chosen], blobs: indexes, others: described.flatMap(({ platform }) => platform ?? []) };
}

async function platformOf(scope: Scope, lease: HeldLease, descriptor: Descriptor): Promise<Platform> {
  const { config } = await readManifest(scope, lease.content, descriptor.digest);
  const { os, architecture, variant } = await readConfig(scope, lease.content, { id: parseDigest(config.digest) });
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function nothingFor(platforms: readonly Platform[], others: readonly Platform[]): TeuError {
  const list = (all: readonly Platform[]): string => [...new Set(all.map(formatPlatform))].join(", ");
  return new TeuError({
    code: "not-found",
    op: "load images",
    message: `there is no image for ${list(platforms)} in it`,
    ...(others.length === 0 ? {} : { hint: `it holds ${list(others)}` }),
  });
}
