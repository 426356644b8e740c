// All images of a layout directory into a content store, and images of a store into a layout.
// Digests from index.json are parsed before they become paths (CVE-2024-3727), blobs are verified while read.

import type { Scope } from "@teu/base/scope";
import type { ImageIndex } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { DiskContentStore } from "../disk-content-store.ts";
import { copyImage, type CopyOptions } from "./copy.ts";
import { changeLayoutIndex, prepareLayout, readLayoutIndex } from "./layout-directory.ts";
import { type FoundImage, imagesOfIndex, layoutIndex, type NamedImage } from "./layout-files.ts";
import { joinWriters } from "./layout-writers.ts";

/** Copies all images of a layout directory into a store. */
export async function importLayout(scope: Scope, directory: string, store: ContentStore): Promise<FoundImage[]> {
  const images = imagesOfIndex(await readLayoutIndex(scope, directory));
  const source = DiskContentStore.readOnly(directory);
  for (const { descriptor } of images) await copyImage(scope, source, store, descriptor, { sparse: true });
  return images;
}

/**
 * Copies images into a layout directory, made when missing. Images already in it stay; an entry with the same name is
 * replaced. A reader never sees an index without its blobs.
 */
export async function exportLayout(
  scope: Scope,
  store: ContentStore,
  images: readonly NamedImage[],
  directory: string,
  options: CopyOptions = {},
): Promise<void> {
  await prepareLayout(directory);
  await using _ = await joinWriters(scope, directory);
  const target = await DiskContentStore.open(directory, { syncNamesLater: true });
  for (const { descriptor } of images) await copyImage(scope, store, target, descriptor, options);
  await target.syncNames();
  await changeLayoutIndex(scope, directory, (present) => mergeIndex(present, layoutIndex(images)));
}

function mergeIndex(present: ImageIndex, added: ImageIndex): ImageIndex {
  const names = (entry: ImageIndex["manifests"][number]): string =>
    JSON.stringify(Object.entries(entry.annotations ?? {}).toSorted());
  const replaced = new Set(added.manifests.filter((entry) => entry.annotations !== undefined).map(names));
  const known = new Set(added.manifests.map((entry) => entry.digest + names(entry)));
  const kept = present.manifests.filter(
    (entry) => !replaced.has(names(entry)) && !known.has(entry.digest + names(entry)),
  );
  return { ...present, manifests: [...kept, ...added.manifests] };
}
