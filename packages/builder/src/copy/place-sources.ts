// Writes selected sources to a destination of a layer: Docker's rules of where files and directories go.

import { setImmediate as turn } from "node:timers/promises";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { cleanPath, type FileTree, joinPath } from "../context/file-tree.ts";
import type { Owner } from "../context/user-names.ts";
import type { LayerWriter } from "./layer-writer.ts";
import type { SelectedSource } from "./select-sources.ts";
import { sniffArchive, unpackArchive } from "./unpack-archive.ts";

/** Where and how. */
export interface PlaceOptions {
  /** Absolute path in the root file system. */
  readonly destination: string;
  readonly intoDirectory: boolean;
  /** Of directories made on the way. */
  readonly owner: Owner;
  /** ADD: unpack archives. */
  readonly unpack: boolean;
  /** Given owner for unpacked entries; absent: as the archive says. */
  readonly archiveOwner?: Owner;
}

/** A here-document to write. */
export interface InlineFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly owner: Owner;
  readonly mtimeNs: bigint;
}

const ENTRIES_PER_TURN = 64;

/** @throws TeuError `conflict` where a file and a directory get in each other's way. */
export async function placeSources(
  scope: Scope,
  writer: LayerWriter,
  tree: FileTree,
  sources: readonly SelectedSource[],
  files: readonly InlineFile[],
  options: PlaceOptions,
): Promise<void> {
  const destination = writer.resolve(cleanPath(options.destination));
  const isDirectory = options.intoDirectory || writer.tree.find(destination)?.entry.kind === "directory";
  const single = sources.filter(({ entry }) => entry.kind !== "directory").length + files.length;
  if (single > 1 && !isDirectory) {
    throw new TeuError({
      code: "invalid",
      op: "copy to",
      subject: options.destination,
      message: "several sources need a directory as destination",
      hint: `end it with a slash: ${options.destination}/`,
    });
  }
  let count = 0;
  for (const source of sources) {
    const base = source.entry.kind === "directory" || !isDirectory ? destination : joinPath(destination, source.name);
    if (
      options.unpack &&
      source.entry.kind === "file" &&
      (await unpacked(scope, writer, tree, source, destination, options))
    )
      continue;
    const parent = base.includes("/") ? base.slice(0, base.lastIndexOf("/")) : "";
    writer.ensureDirectory(
      source.entry.kind === "directory" ? parent : isDirectory ? destination : parent,
      options.owner,
    );
    for (const copied of source.entries) {
      const path = copied.target === "" ? base : joinPath(base, copied.target);
      if (copied.entry.kind === "directory")
        writer.putDirectory(path, copied.entry, { tree, path: copied.source }, copied.target === "");
      else writer.putEntry(path, copied.entry, { tree, path: copied.source });
      if (++count % ENTRIES_PER_TURN === 0) {
        await turn();
        scope.check("copy");
      }
    }
  }
  for (const file of files) {
    const path = isDirectory ? joinPath(destination, file.name) : destination;
    writer.ensureDirectory(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "", options.owner);
    writer.putBytes(path, file.bytes, { mode: file.mode, ...file.owner, mtimeNs: file.mtimeNs });
  }
  writer.finish();
}

async function unpacked(
  scope: Scope,
  writer: LayerWriter,
  tree: FileTree,
  source: SelectedSource,
  destination: string,
  options: PlaceOptions,
): Promise<boolean> {
  using file = tree.open(source.path);
  const kind = await sniffArchive(scope, file, source.path);
  if (kind === null) return false;
  await unpackArchive(scope, writer, file, kind, destination, {
    subject: source.path,
    ...(options.archiveOwner === undefined ? {} : { owner: options.archiveOwner }),
  });
  return true;
}
