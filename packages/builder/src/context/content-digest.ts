// The digest of what a COPY would bring: names, kinds, modes, owners, link targets, devices, attributes and bytes, as they will be
// in the image. Times are left out. Equal digests mean equal results.

import { createHash, type Hash } from "node:crypto";
import { readSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import type { Scope } from "@teu/base/scope";
import { fileNameToBytes } from "@teu/files/file-name";
import type { FileTree, TreeEntry } from "./file-tree.ts";

/** One entry of what is copied: where it comes from and what it becomes. */
export interface CopyEntry {
  /** Canonical path in the source tree. */
  readonly source: string;
  /** Path below the destination; "" is the destination itself. */
  readonly target: string;
  /** With owner and mode already changed. */
  readonly entry: TreeEntry;
}

const CHUNK = 1 << 20;
const ENTRIES_PER_TURN = 128;

/** Digest of entries in their order; reads all bytes once. */
export async function contentDigest(scope: Scope, tree: FileTree, entries: Iterable<CopyEntry>): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(CHUNK);
  let count = 0;
  for (const copied of entries) {
    hashEntry(hash, tree, copied, buffer);
    if (++count % ENTRIES_PER_TURN === 0) {
      await turn();
      scope.check("read context");
    }
  }
  return hash.digest("hex");
}

function hashEntry(hash: Hash, tree: FileTree, { source, target, entry }: CopyEntry, buffer: Buffer): void {
  const link = entry.kind === "symlink" ? tree.readLink(source) : "";
  const xattrs = entry.kind === "symlink" ? [] : tree.xattrs(source);
  const device = entry.kind === "char" || entry.kind === "block" ? `${entry.major}:${entry.minor}` : "";
  field(hash, target);
  field(hash, `${entry.kind} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${entry.size} ${device}`);
  field(hash, link);
  for (const [name, value] of xattrs) {
    field(hash, name);
    hash.update(`${value.length}:`).update(value);
  }
  hash.update("\n");
  if (entry.kind !== "file") return;
  using file = tree.open(source);
  for (;;) {
    const read = readSync(file.fd, buffer, 0, buffer.length, null);
    if (read === 0) break;
    hash.update(buffer.subarray(0, read));
  }
}

/** Length first, so that no two lists of fields look alike. */
function field(hash: Hash, text: string): void {
  const bytes = fileNameToBytes(text);
  hash.update(`${bytes.length}:`).update(bytes);
}
