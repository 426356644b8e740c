// Rows and config become the `Image` that callers see.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, parseDigest } from "@teu/image/digest";
import {
  DOCUMENT_LIMITS,
  type ImageConfig,
  type ImageManifest,
  MEDIA_TYPES,
  parseImageConfig,
  parseManifest,
} from "@teu/specs/image";

import type { ContentStore } from "@teu/image/content-store";

import { getImageConfig, type ImageNameRow, type ImageRow, listImageNames } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import type { FoundImage } from "./find.ts";
import type { Image } from "./images.ts";

/** The image of these rows. `corrupt` when its config is damaged or gone. */
export async function imageOf(
  scope: Scope,
  context: ImageContext,
  found: FoundImage,
  names: readonly ImageNameRow[] = listImageNames(context.db, found.row.id),
): Promise<Image> {
  const { row } = found;
  return {
    id: row.id,
    names: names.filter((name) => !name.name.includes("@")).map((name) => name.name),
    repoDigests: names.filter((name) => name.name.includes("@")).map((name) => name.name),
    target: (found.name ?? names[0])?.target ?? row.manifest,
    manifest: row.manifest,
    platform: row.platform,
    chainId: row.chainId,
    size: row.size,
    createdAt: row.createdAt,
    config: getImageConfig(context.db, row.id) ?? (await readConfig(scope, context.content, row)),
  };
}

/** The image's config document. */
export async function readConfig(scope: Scope, content: ContentStore, row: Pick<ImageRow, "id">): Promise<ImageConfig> {
  try {
    return parseImageConfig(await content.readAll(scope, row.id, DOCUMENT_LIMITS.config));
  } catch (cause) {
    scope.check("read image config");
    throw new TeuError({
      code: "corrupt",
      op: "read image config",
      subject: row.id,
      message: "it is damaged or gone",
      hint: "pull or load the image again",
      cause,
    });
  }
}

/** Whether a manifest is of something else than an image to run: a signature, an SBOM (image-spec, manifest.md "Guidelines for Artifact Usage"). */
export function isArtifact({ artifactType, config }: ImageManifest): boolean {
  return artifactType !== undefined || config.mediaType === MEDIA_TYPES.empty;
}

/** @throws TeuError `unsupported` for the manifest of an artifact. */
export function checkIsImage(manifest: ImageManifest, digest: string): void {
  if (!isArtifact(manifest)) return;
  throw new TeuError({
    code: "unsupported",
    op: "read image",
    subject: digest,
    message: `it is an artifact (${manifest.artifactType ?? manifest.config.mediaType}), not an image`,
    hint: "`teu artifact pull` writes its files, `teu copy` copies it as it is",
  });
}

/** The image's manifest document. */
export async function readManifest(scope: Scope, content: ContentStore, digest: string): Promise<ImageManifest> {
  return parseManifest(await content.readAll(scope, parseDigest(digest), DOCUMENT_LIMITS.manifest));
}

/** Diff ids as checked digests. @throws TeuError `invalid`. */
export function diffIdsOf(config: ImageConfig): Digest[] {
  return config.rootfs.diff_ids.map(parseDigest);
}
