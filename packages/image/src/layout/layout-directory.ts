// An OCI image layout as a directory: reading its index and blobs, and writing images into one.
// Digests from index.json are parsed before they become paths (CVE-2024-3727), blobs are verified while read.

import { constants } from "node:fs";
import { open, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { makeDirectory } from "@teu/files/make-directory";
import { replaceFile } from "@teu/files/replace-file";
import { DOCUMENT_LIMITS, type ImageIndex, parseImageLayout, parseIndex } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { DiskContentStore } from "../disk-content-store.ts";
import { copyImage, type CopyOptions } from "./copy.ts";
import {
  type FoundImage,
  imagesOfIndex,
  INDEX_FILE,
  LAYOUT_CONTENT,
  LAYOUT_FILE,
  layoutIndex,
  type NamedImage,
} from "./layout-files.ts";

/**
 * The index of a layout directory.
 * @throws TeuError `not-found` when there is no layout, `invalid` when it is not one of version 1.0.0.
 */
export async function readLayoutIndex(scope: Scope, directory: string): Promise<ImageIndex> {
  scope.check("read image layout");
  parseImageLayout(await readLimited(join(directory, LAYOUT_FILE), DOCUMENT_LIMITS.layout));
  return parseIndex(await readLimited(join(directory, INDEX_FILE), DOCUMENT_LIMITS.index));
}

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
  const target = await DiskContentStore.open(directory);
  for (const { descriptor } of images) await copyImage(scope, store, target, descriptor, options);
  const present = parseIndex(await readLimited(join(directory, INDEX_FILE), DOCUMENT_LIMITS.index));
  await writeLayoutIndex(directory, mergeIndex(present, layoutIndex(images)));
  await removeIngest(directory);
}

/** Replaces the index of a layout. */
export async function writeLayoutIndex(directory: string, index: ImageIndex): Promise<void> {
  await replaceFile(join(directory, INDEX_FILE), JSON.stringify(index), { mode: 0o644 });
}

/** Makes an empty layout where there is none. @throws TeuError `invalid` when there is one of another version. */
export async function prepareLayout(directory: string): Promise<void> {
  try {
    makeDirectory(directory, 0o777);
    await writeNew(join(directory, INDEX_FILE), JSON.stringify(layoutIndex([])));
    await writeNew(join(directory, LAYOUT_FILE), LAYOUT_CONTENT);
  } catch (error) {
    throw fileError("make image layout", directory, error);
  }
  parseImageLayout(await readLimited(join(directory, LAYOUT_FILE), DOCUMENT_LIMITS.layout));
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

async function writeNew(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o644 });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
}

/** Our own working directory is no part of a layout. */
export async function removeIngest(directory: string): Promise<void> {
  try {
    await rmdir(join(directory, "ingest"));
  } catch (error) {
    // Not empty: somebody else is writing into the same layout, or an interrupted copy will go on. Absent: who did so removed it.
    const { code } = error as { code?: unknown };
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw fileError("write image layout", directory, error);
  }
}

async function readLimited(path: string, limit: number): Promise<Uint8Array> {
  try {
    // O_NONBLOCK: a fifo would wait for a writer, and a device may never end.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw refuse("invalid", path, "it is not a regular file");
    if (found.size <= limit) return await file.readFile();
    throw refuse("exhausted", path, `${found.size} bytes, limit is ${limit}`);
  } catch (error) {
    throw fileError("read image layout", path, error);
  }
}

function refuse(code: "invalid" | "exhausted", subject: string, message: string): TeuError {
  return new TeuError({ code, op: "read image layout", subject, message });
}
