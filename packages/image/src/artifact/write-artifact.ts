// Writes the files of an artifact into a directory. Everything is fetched and verified in a working directory inside it first, where an
// interrupted run goes on the next time; only then files are moved to their places, none over another unless that is wanted.

import { chmodSync, copyFileSync, linkSync, lstatSync, mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";

import { isTeuError, TeuError } from "@teu/base/errors";
import { inParallel } from "@teu/base/parallel";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { removeTree } from "@teu/files/remove-tree";
import type { Descriptor } from "@teu/specs/image";

import { type Digest, digestEncoded, parseDigest } from "../digest.ts";
import { DiskContentStore } from "../disk-content-store.ts";
import type { Image } from "../transport/open-image.ts";
import type { BlobIdentity, ImageSource } from "../transport/source-and-sink.ts";
import { putStoreBlob } from "../transport/store-image.ts";
import { CONTENT_DIGEST, nameParts, TITLE, UNPACK, WORK_PREFIX } from "./file-names.ts";
import { SafeDirectory } from "./safe-directory.ts";
import { unpackDirectory, type UnpackedEntry } from "./unpack-directory.ts";

/** Where to write, and how. */
export interface WriteArtifactOptions {
  /** Made when missing. */
  readonly directory: string;
  /** Replace files (never directories) that are there. Default false. */
  readonly overwrite?: boolean;
  /** Also write the config, under this name. */
  readonly config?: string;
  /** Told of blobs on their way. */
  readonly progress?: (event: { readonly digest: Digest; readonly size: number; readonly offset: number }) => void;
}

/** A file or directory that was written. */
export interface WrittenFile {
  /** Below the directory. */
  readonly path: string;
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  /** Of a directory: how many files are in it. */
  readonly files?: number;
}

/** What was written. */
export interface WrittenArtifact {
  readonly files: readonly WrittenFile[];
  /** Layers without a name. */
  readonly skipped: readonly Descriptor[];
}

const OP = "write artifact";
const CONCURRENCY = 4;

interface Wanted {
  readonly descriptor: Descriptor;
  readonly parts: readonly string[];
  readonly unpacks: boolean;
}

/**
 * Writes. Nothing is at its place before all of it was verified.
 * @throws TeuError `invalid` for names that lead elsewhere, `already-exists`, `conflict` (a directory or symlink in the way), `corrupt`.
 */
export async function writeArtifact(
  scope: Scope,
  source: ImageSource,
  image: Image,
  options: WriteArtifactOptions,
): Promise<WrittenArtifact> {
  const { wanted, skipped } = wantedFiles(image, options.config);
  if (wanted.length === 0 && skipped.length > 0)
    throw new TeuError({
      code: "unsupported",
      op: OP,
      subject: image.document.descriptor.digest,
      message: "none of its layers has a file name",
      hint: "images are for `teu pull`, or for `teu image unpack`",
    });
  const overwrite = options.overwrite === true;
  checkNesting(wanted.map(({ parts, unpacks }) => ({ parts, isDirectory: unpacks })));
  using directory = SafeDirectory.open(options.directory);
  // Before anything is fetched.
  for (const { parts, unpacks } of wanted) {
    if (unpacks) directory.checkDirectory(parts);
    else directory.checkFile(parts, overwrite);
  }
  if (wanted.length === 0) return { files: [], skipped };
  const workplace = makeWorkplace(options.directory, image.document.descriptor.digest);
  const entries = await gather(scope, source, wanted, workplace, options).catch(async (error: unknown) => {
    // There is nothing to go on with in what is wrong.
    if (isTeuError(error, "invalid") || isTeuError(error, "corrupt"))
      await removeTree(cleanupScope(scope, REMOVAL_PATIENCE), workplace);
    throw error;
  });
  for (const entry of entries.flat()) {
    if (entry.kind === "directory") directory.checkDirectory(entry.parts);
    else directory.checkFile(entry.parts, overwrite);
  }
  place(directory, entries.flat(), overwrite, workplace);
  await removeTree(cleanupScope(scope, REMOVAL_PATIENCE), workplace);
  return { files: wanted.map((one, index) => writtenFile(one, entries[index] ?? [])), skipped };
}

function wantedFiles(image: Image, config: string | undefined): { wanted: Wanted[]; skipped: Descriptor[] } {
  const wanted: Wanted[] = [];
  const skipped: Descriptor[] = [];
  const add = (descriptor: Descriptor, name: string, unpacks: boolean): void => {
    const parts = nameParts(OP, name);
    if (parts.length === 0 && !unpacks)
      throw new TeuError({ code: "invalid", op: OP, subject: name, message: "it names no file" });
    wanted.push({ descriptor, parts, unpacks });
  };
  for (const layer of image.manifest.layers) {
    const title = layer.annotations?.[TITLE];
    if (title === undefined) skipped.push(layer);
    else add(layer, title, layer.annotations?.[UNPACK] === "true");
  }
  if (config !== undefined) add(image.manifest.config, config, false);
  return { wanted, skipped };
}

/** No name twice, and none below a file. */
function checkNesting(places: readonly { readonly parts: readonly string[]; readonly isDirectory: boolean }[]): void {
  const kinds = new Map<string, boolean>();
  for (const { parts, isDirectory } of places) {
    const name = parts.join("/");
    if (kinds.has(name) && !(isDirectory && kinds.get(name) === true)) throw twice(name);
    kinds.set(name, isDirectory);
  }
  for (const { parts } of places) {
    for (let length = 1; length < parts.length; length++) {
      const above = parts.slice(0, length).join("/");
      if (kinds.get(above) === false) throw twice(above);
    }
  }
}

function makeWorkplace(directory: string, digest: Digest): string {
  const path = join(directory, `${WORK_PREFIX}${digestEncoded(digest).slice(0, 16)}`);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // What an interrupted run left; anything else that has the name is not ours.
    const isOurs = (error as NodeJS.ErrnoException).code === "EEXIST" && lstatSync(path).isDirectory();
    if (!isOurs) throw fileError(OP, path, error);
  }
  return path;
}

/** Fetches and takes apart: for each wanted file, what goes where. */
async function gather(
  scope: Scope,
  source: ImageSource,
  wanted: readonly Wanted[],
  workplace: string,
  options: WriteArtifactOptions,
): Promise<UnpackedEntry[][]> {
  const store = await DiskContentStore.open(join(workplace, "content"));
  await fetchAll(scope, source, store, wanted, options);
  const entries = await takeApart(scope, store, wanted, workplace);
  checkNesting(entries.flat().map(({ kind, parts }) => ({ parts, isDirectory: kind === "directory" })));
  return entries;
}

async function fetchAll(
  scope: Scope,
  source: ImageSource,
  store: DiskContentStore,
  wanted: readonly Wanted[],
  { progress }: WriteArtifactOptions,
): Promise<void> {
  const blobs = new Map<string, BlobIdentity>();
  for (const { descriptor } of wanted)
    blobs.set(descriptor.digest, { digest: parseDigest(descriptor.digest), size: descriptor.size });
  await inParallel(scope, [...blobs.values()], CONCURRENCY, async (inner, blob) => {
    const open = (offset: number): AsyncIterable<Uint8Array> => source.blob(inner, blob, offset);
    await putStoreBlob(inner, store, blob, open, (offset) => progress?.({ ...blob, offset }));
  });
}

async function takeApart(
  scope: Scope,
  store: DiskContentStore,
  wanted: readonly Wanted[],
  workplace: string,
): Promise<UnpackedEntry[][]> {
  const parent = join(workplace, "files");
  // What an interrupted run left there is made anew.
  await removeTree(scope, parent);
  mkdirSync(parent, { mode: 0o700 });
  const entries: UnpackedEntry[][] = [];
  for (const [index, one] of wanted.entries()) {
    const here = join(parent, String(index));
    mkdirSync(here, { mode: 0o700 });
    entries.push(one.unpacks ? await unpacked(scope, store, one, here) : [plainFile(store, one, here)]);
  }
  return entries;
}

async function unpacked(scope: Scope, store: DiskContentStore, one: Wanted, here: string): Promise<UnpackedEntry[]> {
  const { descriptor, parts } = one;
  const blob = store.read(scope, parseDigest(descriptor.digest));
  const { entries, digest } = await unpackDirectory(scope, blob, parts, here);
  const declared = descriptor.annotations?.[CONTENT_DIGEST];
  if (declared !== undefined && declared.startsWith("sha256:") && declared !== digest) {
    const message = `its content has digest ${digest} instead of ${declared}`;
    throw new TeuError({ code: "corrupt", op: OP, subject: parts.join("/"), message });
  }
  return [{ kind: "directory", parts }, ...entries];
}

function plainFile(store: DiskContentStore, { descriptor, parts }: Wanted, here: string): UnpackedEntry {
  const content = join(here, "0");
  const blob = store.path(parseDigest(descriptor.digest)) ?? "";
  // The blob itself, whose own name goes with the working directory; a copy where another file of the artifact is it already.
  if (lstatSync(blob).nlink === 1) linkSync(blob, content);
  else copyFileSync(blob, content);
  return { kind: "file", parts, content, mode: 0o666, mtime: Number.NaN };
}

function place(
  directory: SafeDirectory,
  entries: readonly UnpackedEntry[],
  overwrite: boolean,
  workplace: string,
): void {
  const mask = 0o777 & ~process.umask();
  for (const entry of entries) if (entry.kind === "directory") directory.makeDirectory(entry.parts);
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    chmodSync(entry.content, entry.mode & mask);
    if (!Number.isNaN(entry.mtime)) utimesSync(entry.content, entry.mtime, entry.mtime);
    directory.put(entry.content, entry.parts, overwrite);
  }
  // Last, so that nothing is ever written through one.
  for (const [index, entry] of entries.entries()) {
    if (entry.kind !== "symlink") continue;
    const made = join(workplace, `link-${index}`);
    symlinkSync(entry.target, made);
    directory.put(made, entry.parts, overwrite);
  }
}

function writtenFile({ descriptor, parts, unpacks }: Wanted, entries: readonly UnpackedEntry[]): WrittenFile {
  const { digest, size, mediaType } = descriptor;
  const path = parts.join("/") || ".";
  const files = entries.filter(({ kind }) => kind !== "directory").length;
  return { path, digest, size, mediaType, ...(unpacks ? { files } : {}) };
}

function twice(name: string): TeuError {
  return new TeuError({
    code: "invalid",
    op: OP,
    subject: JSON.stringify(name.slice(0, 200)),
    message: "two files of the artifact are in one place",
  });
}
