// An image as a plain directory: what a container would see, with nothing of overlayfs in it. All layers are read and verified before
// the first file appears; on any failure the directory is as it was.

import type { Stats } from "node:fs";
import { chmod, chown, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { makeDirectory } from "@teu/files/make-directory";
import { reserveDescriptors } from "@teu/files/open";
import { removeTree } from "@teu/files/remove-tree";

import { LayerWriter } from "../layer/layer-writer.ts";
import { tarEntry } from "../tar/writer.ts";
import type { ImageValue } from "../values/image-value.ts";
import type { FileFacts, MergedTree } from "./merged-tree.ts";
import { readTree, treeFiles } from "./read-tree.ts";
import { Spool } from "./spool.ts";

/** Where to, and how. */
export interface UnpackImageOptions {
  /** A directory that is missing or empty. */
  readonly target: string;
  /** A directory with room for all files of the image. */
  readonly temporary: string;
  /** As a user without root: see `ApplyLayerOptions.rootless`. Default false. */
  readonly rootless?: boolean;
}

/** What was written. */
export interface UnpackedImage {
  /** Names, directories among them. */
  readonly entries: number;
  /** Bytes of files, holes included, each file once. */
  readonly bytes: number;
}

/** Room for the directories that the writer keeps open. */
const DESCRIPTORS = 2048;
/** What is gathered before the thread pool writes it. */
const BATCH_BYTES = 1 << 20;
const BATCH_FILES = 500;

/**
 * Unpacks an image.
 * @throws TeuError `conflict` when the directory has something in it, `denied` without root and not `rootless`, `corrupt`,
 * `exhausted`, `unsupported` for artifacts.
 */
export async function unpackImage(
  scope: Scope,
  image: ImageValue,
  { target, temporary, rootless = false }: UnpackImageOptions,
): Promise<UnpackedImage> {
  // First, so that nothing is fetched in vain.
  const before = await lookAt(target);
  using spool = new Spool(temporary);
  const tree = await readTree(scope, image, { content: () => spool.take() });
  void reserveDescriptors(DESCRIPTORS);
  try {
    makeDirectory(target, 0o755);
    using writer = new LayerWriter(scope.log, target, [], rootless);
    return await writeTree(scope, tree, spool, writer);
  } catch (error) {
    await undo(cleanupScope(scope, REMOVAL_PATIENCE), target, before);
    throw fileError("unpack image", target, error);
  }
}

async function writeTree(scope: Scope, tree: MergedTree, spool: Spool, writer: LayerWriter): Promise<UnpackedImage> {
  const names = new Map<FileFacts, string>();
  let [entries, bytes, gathered, files] = [0, 0, 0, 0];
  if (tree.rootIsGiven) writer.entry(tarEntry({ ...tree.root.facts, name: ".", sparse: null }));
  for (const { path, node } of treeFiles(tree)) {
    const { facts } = node;
    const name = path.slice(1);
    const first = facts.type === "directory" ? undefined : names.get(facts);
    entries++;
    if (first !== undefined) {
      writer.entry(tarEntry({ ...facts, type: "hardlink", name, linkName: first, size: 0, sparse: null }));
      continue;
    }
    names.set(facts, name);
    writer.entry(tarEntry({ ...facts, name, sparse: spool.holes(facts) }));
    if (facts.type === "file") {
      for (const { offset, data } of spool.chunks(facts)) {
        writer.data(data, offset);
        gathered += data.length;
        if (gathered >= BATCH_BYTES) gathered = await flush(scope, writer);
      }
      bytes += facts.size;
    }
    writer.endEntry();
    if (++files % BATCH_FILES === 0) gathered = await flush(scope, writer);
  }
  await flush(scope, writer);
  writer.finish();
  return { entries, bytes };
}

async function flush(scope: Scope, writer: LayerWriter): Promise<0> {
  scope.check("unpack image");
  await writer.flush();
  return 0;
}

/** What is there; null when nothing is. @throws TeuError `conflict`, or by errno. */
async function lookAt(target: string): Promise<Stats | null> {
  try {
    const found = await stat(target);
    if ((await readdir(target)).length === 0) return found;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw fileError("unpack image", target, error);
  }
  throw new TeuError({
    code: "conflict",
    op: "unpack image",
    subject: target,
    message: "the directory is not empty",
    hint: "name one that is empty or not there yet",
  });
}

async function undo(scope: Scope, target: string, before: Stats | null): Promise<void> {
  if (before === null) return await removeTree(scope, target);
  await chmod(target, 0o700);
  for (const name of await readdir(target)) await removeTree(scope, join(target, name));
  if (process.geteuid?.() === 0) await chown(target, before.uid, before.gid);
  await chmod(target, before.mode & 0o7777);
}
