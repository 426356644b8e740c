// Room on disk for what transforms make: compressed layers, contents of files. Gone when disposed; what a killed
// process left goes with the next one.

import { join } from "node:path";

import type { Scope } from "@teu/base/scope";
import { TemporaryDirectory } from "@teu/files/temporary-directory";

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
  const directory = await TemporaryDirectory.make(scope, parent, "teu-image-");
  try {
    const scratch = await DiskContentStore.open(join(directory.path, "store"));
    return { scratch, temporary: directory.path, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}
