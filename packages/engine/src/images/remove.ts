// rmi: takes a name away, and with the last one the image; what nothing needs any more is collected at once.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { familiarText, parseReference, referenceName } from "@teu/image/reference";

import { collectGarbage } from "../prune/collect.ts";
import { containersOfImage } from "../store/container-rows.ts";
import { deleteImage, deleteImageName, type ImageRow, listImageNames } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage, type FoundImage } from "./find.ts";
import type { ImageRemoval } from "./images.ts";

/** Tells whether a container runs. */
export type IsRunning = (id: string) => boolean;

/** See `Images.remove`. */
export async function removeImage(
  scope: Scope,
  context: ImageContext,
  ref: string,
  force: boolean,
  isRunning: IsRunning,
): Promise<ImageRemoval> {
  const { untagged, gone } = context.db.transaction(() =>
    unname(context, findImage(context.db, ref), ref, force, isRunning),
  );
  if (gone === null) return { untagged, deleted: [] };
  const collected = await collectGarbage(scope, context);
  return { untagged, deleted: [gone, ...collected.layers] };
}

function unname(
  context: ImageContext,
  { row, name }: FoundImage,
  ref: string,
  force: boolean,
  isRunning: IsRunning,
): { untagged: string[]; gone: Digest | null } {
  const names = listImageNames(context.db, row.id).map((one) => one.name);
  const tags = names.filter((one) => !one.includes("@"));
  const others = name === null ? [] : tags.filter((one) => one !== name.name);
  if (name !== null && others.length > 0) {
    const repository = repositoryOf(name.name);
    // With a repository's last tag its names by digest go, too: nobody would find them.
    const last = !others.some((one) => repositoryOf(one) === repository);
    const gone = [name.name, ...(last ? names.filter((one) => one.startsWith(`${repository}@`)) : [])];
    for (const one of gone) deleteImageName(context.db, one);
    return { untagged: gone.map(familiar), gone: null };
  }
  if (name === null && tags.length > 1 && !force) {
    throw new TeuError({
      code: "conflict",
      op: "remove image",
      subject: ref,
      message: `it has ${tags.length} names`,
      hint: "remove the names, or use force",
      detail: { names: tags.map(familiar) },
    });
  }
  refuseUsed(context, row, ref, force, isRunning);
  for (const one of names) deleteImageName(context.db, one);
  deleteImage(context.db, row.id);
  return { untagged: names.map(familiar), gone: row.id };
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
