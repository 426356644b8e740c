// rmi: takes a name away, and with the last one the image; what nothing needs any more is collected at once.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { formatPlatform, isSamePlatform } from "@teu/image/platform";
import { familiarText, parseReference, referenceName } from "@teu/image/reference";
import type { Platform } from "@teu/specs/image";

import { collectGarbage } from "../prune/collect.ts";
import { containersOfImage } from "../store/container-rows.ts";
import type { Database } from "../store/database.ts";
import {
  deleteImage,
  deleteImageName,
  deleteIndexMember,
  dropUnnamedIndexes,
  type ImageNameRow,
  type ImageRow,
  listImageNames,
  putImageName,
} from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage, imagesOfName } from "./find.ts";
import type { ImageRemoval } from "./images.ts";

/** Tells whether a container runs. */
export type IsRunning = (id: string) => boolean;

/** See `Images.remove`. */
export async function removeImage(
  scope: Scope,
  context: ImageContext,
  ref: string,
  { force, platforms }: RemoveOptions,
  isRunning: IsRunning,
): Promise<ImageRemoval> {
  const { untagged, gone } = context.db.transaction(() => {
    const found = findImage(context.db, ref);
    checkIsOwnName(ref, found.name);
    if (found.name === null) for (const platform of platforms) checkIs(found.row, platform, ref);
    const refuse = (row: ImageRow): void => refuseUsed(context, row, ref, force, isRunning);
    const result =
      found.name === null
        ? removeById(context.db, found.row, ref, force, refuse)
        : removePlatforms(context.db, found.name, platforms, ref, refuse);
    dropUnnamedIndexes(context.db);
    return result;
  });
  if (gone.length === 0) return { untagged: untagged.map(familiar), deleted: [] };
  const collected = await collectGarbage(scope, context);
  return { untagged: untagged.map(familiar), deleted: [...gone, ...collected.layers] };
}

/** What is to go. */
export interface RemoveOptions {
  readonly force: boolean;
  /** None: all images that the name stands for. */
  readonly platforms: readonly Platform[];
}

/**
 * Of the images that a name stands for, those for some platforms; by their exact platform, as what only would do instead is not what
 * was named. The last one takes the name with it.
 */
function removePlatforms(
  db: Database,
  name: ImageNameRow,
  platforms: readonly Platform[],
  ref: string,
  refuse: (row: ImageRow) => void,
): Removed {
  const rows = imagesOfName(db, name);
  const chosen = new Set<ImageRow>();
  for (const platform of platforms) {
    const found = rows.filter((row) => isSamePlatform(row.platform, platform));
    if (found.length === 0) throw notHere(rows, platform, ref);
    for (const row of found) chosen.add(row);
  }
  const [heir] = rows.filter((row) => !chosen.has(row));
  if (chosen.size === 0 || heir === undefined) return removeName(db, name, refuse);
  const gone: Digest[] = [];
  for (const row of chosen) {
    for (const one of listImageNames(db, row.id))
      if (one.imageId === row.id && one.target.digest === name.target.digest)
        putImageName(db, one.name, heir.id, one.target, one.taggedAt);
    deleteIndexMember(db, name.target.digest, row.id);
    // Under another name it stays.
    if (listImageNames(db, row.id).length > 0) continue;
    refuse(row);
    gone.push(row.id);
    deleteImage(db, row.id);
  }
  return { untagged: [], gone };
}

function checkIs(row: ImageRow, platform: Platform, ref: string): void {
  if (!isSamePlatform(row.platform, platform)) throw notHere([row], platform, ref);
}

function notHere(rows: readonly ImageRow[], platform: Platform, ref: string): TeuError {
  return new TeuError({
    code: "not-found",
    op: "remove image",
    subject: ref,
    message: `it is here for ${rows.map((row) => formatPlatform(row.platform)).join(" and ")}, not for ${formatPlatform(platform)}`,
  });
}

// A digest also finds images by their tags; taking one of these away is not what was said.
function checkIsOwnName(ref: string, name: ImageNameRow | null): void {
  if (name === null || !ref.includes("@") || name.name.includes("@")) return;
  throw new TeuError({
    code: "not-found",
    op: "remove image",
    subject: ref,
    message: "it has no name by this digest",
    hint: `remove it by its tag, ${familiar(name.name)}, or by its id`,
  });
}

interface Removed {
  readonly untagged: readonly string[];
  readonly gone: readonly Digest[];
}

/** Takes a name away, and with the last tag of an image the image; of an index that may be several. */
function removeName(db: Database, name: ImageNameRow, refuse: (row: ImageRow) => void): Removed {
  const rows = imagesOfName(db, name);
  const untagged = new Set<string>();
  const forget = (one: string): void => {
    deleteImageName(db, one);
    untagged.add(one);
  };
  const before = new Map(rows.map((row) => [row.id, listImageNames(db, row.id)]));
  forget(name.name);
  const repository = repositoryOf(name.name);
  const gone: Digest[] = [];
  for (const row of rows) {
    const names = (before.get(row.id) ?? []).map((one) => one.name).filter((one) => !untagged.has(one));
    const tags = names.filter((one) => !one.includes("@"));
    // With a repository's last tag its names by digest go, too: nobody would find them.
    const last = !tags.some((one) => repositoryOf(one) === repository);
    for (const one of names)
      if (one.includes("@") && (tags.length === 0 || (last && one.startsWith(`${repository}@`)))) forget(one);
    if (tags.length > 0) continue;
    refuse(row);
    gone.push(row.id);
  }
  dropUnnamedIndexes(db);
  for (const id of gone) deleteImage(db, id);
  return { untagged: [...untagged], gone };
}

/** Removes one image. A name that stands for others of its index too is left to them. */
function removeById(
  db: Database,
  row: ImageRow,
  ref: string,
  force: boolean,
  refuse: (row: ImageRow) => void,
): Removed {
  const names = listImageNames(db, row.id).map((name) => ({
    name,
    others: imagesOfName(db, name).filter(({ id }) => id !== row.id),
  }));
  const own = names.filter(({ others }) => others.length === 0).map(({ name }) => name.name);
  const tags = own.filter((one) => !one.includes("@"));
  if (tags.length > 1 && !force) {
    throw new TeuError({
      code: "conflict",
      op: "remove image",
      subject: ref,
      message: `it has ${tags.length} names`,
      hint: "remove the names, or use force",
      detail: { names: tags.map(familiar) },
    });
  }
  refuse(row);
  for (const { name, others } of names) {
    const [heir] = others;
    if (heir === undefined) deleteImageName(db, name.name);
    else if (name.imageId === row.id) putImageName(db, name.name, heir.id, name.target, name.taggedAt);
  }
  deleteImage(db, row.id);
  return { untagged: own, gone: [row.id] };
}

function refuseUsed(context: ImageContext, row: ImageRow, ref: string, force: boolean, isRunning: IsRunning): void {
  const users = containersOfImage(context.db, row.id);
  const running = users.find((one) => isRunning(one.id));
  const user = running ?? (force ? undefined : users[0]);
  if (user === undefined) return;
  throw new TeuError({
    code: "conflict",
    op: "remove image",
    subject: ref,
    message: `${running === undefined ? "stopped" : "running"} container ${user.name} uses it`,
    hint: running === undefined ? "remove the container, or use force" : "stop and remove the container",
    detail: { container: user.id },
  });
}

function repositoryOf(name: string): string {
  return referenceName(parseReference(name));
}

/** As people write it. */
function familiar(name: string): string {
  return familiarText(parseReference(name));
}
