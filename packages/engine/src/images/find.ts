// From what people type to an image: name, name@digest, id, or unique beginning of an id.

import { isTeuError, TeuError } from "@teu/base/errors";
import { type Digest, isDigest } from "@teu/image/digest";
import { choosePlatform, formatPlatform, hostPlatform } from "@teu/image/platform";
import { parseReference, type Reference, referenceName, referenceText } from "@teu/image/reference";
import type { Platform } from "@teu/specs/image";

import type { Database } from "../store/database.ts";
import {
  getImage,
  getImageName,
  imagesOfIndex,
  imageIdsByPrefix,
  type ImageNameRow,
  type ImageRow,
  listImageNames,
} from "../store/image-rows.ts";

/** An image, and the name by which it was found; null when by id. */
export interface FoundImage {
  readonly row: ImageRow;
  readonly name: ImageNameRow | null;
}

/**
 * @throws TeuError `not-found` (also when it is here for other platforms than the one asked for), `conflict` for an ambiguous
 * beginning of an id, `invalid` for what is neither. A name wins over the beginning of an id, as in Docker.
 */
export function findImage(db: Database, ref: string, platform?: Platform): FoundImage {
  const found = byWholeId(db, ref) ?? byName(db, ref) ?? byPrefix(db, ref);
  if (found !== null) return forPlatform(db, ref, found, platform);
  throw new TeuError({
    code: "not-found",
    op: "find image",
    subject: ref,
    message: "No such image",
    hint: "pull it, or list images to see their names",
  });
}

/** All images of this host that a name stands for: of an index there may be several. */
export function imagesOfName(db: Database, name: ImageNameRow): readonly ImageRow[] {
  const members = imagesOfIndex(db, name.target.digest);
  if (members.some(({ id }) => id === name.imageId)) return members;
  const own = getImage(db, name.imageId);
  return own === null ? members : [own, ...members];
}

/** The best of several images for a platform. */
export function bestImage(rows: readonly ImageRow[], platform: Platform): ImageRow | null {
  const found = choosePlatform(
    rows.map((row) => ({ ...row.manifest, platform: row.platform })),
    platform,
  );
  return rows.find(({ manifest }) => manifest.digest === found?.digest) ?? null;
}

function forPlatform(db: Database, ref: string, found: FoundImage, platform: Platform | undefined): FoundImage {
  // By the digest of one image that one is meant.
  const isOne = found.name === null || isImageDigest(ref, found.row);
  const rows = isOne || found.name === null ? [found.row] : imagesOfName(db, found.name);
  if (platform === undefined) {
    const own = rows.length > 1 ? bestImage(rows, hostPlatform()) : null;
    return own === null ? found : { ...found, row: own };
  }
  const row = bestImage(rows, platform);
  if (row !== null) return { ...found, row };
  const here = rows.map((one) => formatPlatform(one.platform)).join(" and ");
  // Of an index another image may be pulled; a name for one image stands for that one wherever it is pulled.
  const [only] = rows;
  const isAlone = rows.length === 1 && found.name !== null && found.name.target.digest === only?.manifest.digest;
  throw new TeuError({
    code: "not-found",
    op: "find image",
    subject: ref,
    message: `it is here for ${here}, not for ${formatPlatform(platform)}`,
    hint: isAlone
      ? "the name stands for one image, of this platform alone; name another image"
      : "pull it for that platform",
  });
}

function isImageDigest(ref: string, { id, manifest }: ImageRow): boolean {
  return ref.endsWith(`@${manifest.digest}`) || ref.endsWith(`@${id}`);
}

/** Whether `findImage` has an answer, be it that `ref` is ambiguous. */
export function isKnown(db: Database, ref: string): boolean {
  try {
    return findImage(db, ref).row !== null;
  } catch (error) {
    if (isTeuError(error)) return error.code !== "not-found";
    throw error;
  }
}

/** The reference that `ref` is, when it is one. */
export function asReference(ref: string): Reference | null {
  try {
    return parseReference(ref);
  } catch (error) {
    if (isTeuError(error, "invalid")) return null;
    throw error;
  }
}

function byWholeId(db: Database, ref: string): FoundImage | null {
  const id = /^[0-9a-f]{64}$/.test(ref) ? `sha256:${ref}` : ref;
  const row = isDigest(id) ? getImage(db, id) : null;
  return row === null ? null : { row, name: null };
}

function byName(db: Database, ref: string): FoundImage | null {
  const reference = asReference(ref);
  if (reference === null) return null;
  const name =
    reference.digest === undefined
      ? getImageName(db, referenceText(reference))
      : byDigest(db, reference, reference.digest);
  if (name === null) return null;
  const { digest } = reference;
  const rows = imagesOfName(db, name);
  const meant = rows.find((one) => digest !== undefined && (one.id === digest || one.manifest.digest === digest));
  const row = meant ?? getImage(db, name.imageId);
  return row === null ? null : { row, name };
}

/** name@digest: any name of that repository whose target, manifest or config has the digest. */
function byDigest(db: Database, reference: Reference, digest: Digest): ImageNameRow | null {
  const repository = referenceName(reference);
  // Its own name first: what is done to a name by digest is not done to a tag.
  const own = getImageName(db, `${repository}@${digest}`);
  if (own !== null) return own;
  const names = listImageNames(db).filter(
    (name) => name.name.startsWith(`${repository}:`) || name.name.startsWith(`${repository}@`),
  );
  const direct = names.find((name) => name.target.digest === digest);
  return (
    direct ??
    names.find((name) => imagesOfName(db, name).some((row) => row.id === digest || row.manifest.digest === digest)) ??
    null
  );
}

function byPrefix(db: Database, ref: string): FoundImage | null {
  const hex = ref.startsWith("sha256:") ? ref.slice(7) : ref;
  if (!/^[0-9a-f]{1,63}$/.test(hex)) return null;
  const [first, second] = imageIdsByPrefix(db, `sha256:${hex}`);
  if (second !== undefined)
    throw new TeuError({
      code: "conflict",
      op: "find image",
      subject: ref,
      message: "several images have ids that begin so",
      hint: "give more of the id",
    });
  const row = first === undefined ? null : getImage(db, first);
  return row === null ? null : { row, name: null };
}
