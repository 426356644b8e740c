// A merged tree as one tar: names sorted, directories before their content, one name of each file with its content and the others
// as links to it. Trees that are equal give equal bytes, from whatever layers they came.

import type { Scope } from "@teu/base/scope";

import { tarChunks } from "../tar/tar-chunks.ts";
import { encodeTarHeader, tarEntry, tarPadding } from "../tar/writer.ts";
import type { FileFacts, MergedTree } from "./merged-tree.ts";
import { treeFiles } from "./read-tree.ts";

/** Gives the content of a file again. */
export type OpenContent = (facts: FileFacts) => Iterable<Uint8Array>;

/** How the tar is written. */
export interface TreeTarOptions {
  readonly open: OpenContent;
  /** Later times become this one: SOURCE_DATE_EPOCH, in nanoseconds. */
  readonly latestNs?: bigint;
}

/** The tar of a tree. */
export async function* treeTar(scope: Scope, tree: MergedTree, options: TreeTarOptions): AsyncIterable<Uint8Array> {
  yield* tarChunks(scope, "write tar", pieces(tree, options));
}

function* pieces(tree: MergedTree, { open, latestNs }: TreeTarOptions): Generator<Uint8Array> {
  const names = new Map<FileFacts, string>();
  const header = (name: string, facts: FileFacts): Uint8Array =>
    encodeTarHeader(
      tarEntry({
        ...facts,
        name,
        sparse: null,
        mtimeNs: latestNs !== undefined && facts.mtimeNs > latestNs ? latestNs : facts.mtimeNs,
      }),
    );
  if (tree.rootIsGiven) yield header(".", tree.root.facts);
  for (const { path, node } of treeFiles(tree)) {
    const { facts } = node;
    const name = path.slice(1);
    const first = facts.type === "directory" ? undefined : names.get(facts);
    if (first !== undefined) {
      yield encodeTarHeader(tarEntry({ ...facts, sparse: null, type: "hardlink", name, linkName: first, size: 0 }));
      continue;
    }
    names.set(facts, name);
    yield header(name, facts);
    if (facts.type !== "file" || facts.size === 0) continue;
    yield* open(facts);
    yield tarPadding(facts.size);
  }
}
