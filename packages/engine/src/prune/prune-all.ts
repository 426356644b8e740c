// prune: containers that do not run, images without a name, then everything that nothing needs any more, and what interrupted
// downloads and uploads left.

import { existsSync } from "node:fs";

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

import type { ContainerContext } from "../containers/context.ts";
import { readLife } from "../containers/life.ts";
import { removeContainer } from "../containers/remove.ts";
import { reconcile } from "../containers/reconcile.ts";
import { isOver } from "../containers/settle.ts";
import { removeMoved } from "../snapshots/directory.ts";
import { pruneCache } from "../store/build-cache-rows.ts";
import { containersOfImage, listContainers } from "../store/container-rows.ts";
import { imagesOfName } from "../images/find.ts";
import {
  deleteImage,
  deleteImageName,
  dropUnnamedIndexes,
  listImageNames,
  listImages,
  putImageName,
} from "../store/image-rows.ts";
import { listVolumes, usedVolumes } from "../store/volume-rows.ts";
import { discardVolume } from "../volumes/discard-volume.ts";
import { type CollectContext, collectGarbage } from "./collect.ts";
import type { PruneOptions, PruneReport } from "./prune.ts";

/** See `Engine.prune`. */
export async function pruneAll(
  scope: Scope,
  context: CollectContext & ContainerContext,
  options: PruneOptions = {},
): Promise<PruneReport> {
  await reconcile(scope, context);
  const containers = options.containers === false ? [] : await pruneContainers(scope, context);
  const images = pruneImages(context, options.images ?? "dangling");
  if (options.buildCache === true) pruneCache(context.db, Number.MAX_SAFE_INTEGER);
  const volumes = options.volumes === true ? await pruneVolumes(scope, context) : [];
  const { layers, blobs, reclaimed } = await collectGarbage(scope, context);
  await dropInterrupted(scope, context);
  return { containers, images, layers, blobs, volumes, reclaimed };
}

/** Parts of downloads and notes of uploads that the next pull or push would go on with: whoever prunes wants the room. And half a list. */
async function dropInterrupted(scope: Scope, { content, paths }: CollectContext): Promise<void> {
  await content.dropInterrupted?.(scope);
  if (existsSync(paths.uploads)) {
    const { DiskUploadJournal } = await import("@teu/distribution/client/upload-journal");
    await new DiskUploadJournal(paths.uploads).clear();
  }
  if (existsSync(paths.manifestLists)) {
    const { ManifestLists } = await import("../manifest-lists/manifest-lists.ts");
    await new ManifestLists(paths.root).sweep(scope);
  }
}

async function pruneContainers(scope: Scope, context: ContainerContext): Promise<string[]> {
  const gone: string[] = [];
  for (const { id } of listContainers(context.db)) {
    if (!isOver(readLife(context.paths.container(id)))) continue;
    try {
      await removeContainer(scope, context, id, { volumes: true });
      gone.push(id);
    } catch (error) {
      // Started or removed by somebody else meanwhile: not ours any more.
      if (!isTeuError(error, "conflict") && !isTeuError(error, "not-found")) throw error;
    }
  }
  return gone;
}

function pruneImages({ db }: CollectContext, which: "dangling" | "unused" | "none"): Digest[] {
  if (which === "none") return [];
  return db.transaction(() =>
    listImages(db).flatMap(({ id }) => {
      const names = listImageNames(db, id);
      const dangling = names.every((name) => name.name.includes("@"));
      if ((which === "dangling" && !dangling) || containersOfImage(db, id).length > 0) return [];
      // A name of an index goes when none of its images is left, or stands for another one of them.
      for (const name of names) {
        const [heir] = imagesOfName(db, name).filter((row) => row.id !== id);
        if (heir === undefined) deleteImageName(db, name.name);
        else if (name.imageId === id) putImageName(db, name.name, heir.id, name.target, name.taggedAt);
      }
      deleteImage(db, id);
      dropUnnamedIndexes(db);
      return [id];
    }),
  );
}

async function pruneVolumes(scope: Scope, context: CollectContext): Promise<string[]> {
  const { db } = context;
  const gone = db.transaction(() => {
    const used = usedVolumes(db);
    const unused = listVolumes(db).filter((volume) => !used.has(volume.name));
    return unused.map(({ name }) => ({ name, away: discardVolume(context, name) }));
  });
  for (const { away } of gone) if (away !== null) await removeMoved(scope, away);
  return gone.map(({ name }) => name);
}
