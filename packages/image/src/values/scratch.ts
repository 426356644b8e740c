// Room on disk for what transforms make: compressed layers, contents of files. Gone when disposed.

import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";

import { cleanupScope, type Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { removeTree } from "@teu/files/remove-tree";

import type { ContentStore } from "../content-store.ts";
import { DiskContentStore } from "../disk-content-store.ts";

/** A directory for the time of some transforms. */
export interface Scratch extends AsyncDisposable {
  readonly scratch: ContentStore;
  /** For what is no blob. */
  readonly temporary: string;
}

/** Makes one below `parent`. @throws TeuError when it cannot be made. */
export async function openScratch(scope: Scope, parent: string): Promise<Scratch> {
  let directory: string;
  try {
    directory = await mkdtemp(join(parent, "teu-image-"));
  } catch (error) {
    throw fileError("make temporary directory", parent, error);
  }
  const remove = async (): Promise<void> => await removeTree(cleanupScope(scope), directory);
  try {
    const scratch = await DiskContentStore.open(join(directory, "store"));
    return { scratch, temporary: directory, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
