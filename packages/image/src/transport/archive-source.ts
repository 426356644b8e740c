// An image in a tar (a file of `oci-archive:` or `docker-archive:`, or a stream), compressed or not. It is taken apart into a temporary store first, as
// members may come in any order and every one is verified there.

import { join } from "node:path";

import type { Scope } from "@teu/base/scope";
import { TemporaryDirectory } from "@teu/files/temporary-directory";

import { DiskContentStore } from "../disk-content-store.ts";
import { archiveError, readArchiveFile } from "../docker-archive/archive-file.ts";
import { loadArchive } from "../docker-archive/load-archive.ts";
import { layoutIndex, REF_NAME } from "../layout/layout-files.ts";
import { findEntry } from "./layout-entries.ts";
import type { ImageSource } from "./source-and-sink.ts";
import { storeSource } from "./store-image.ts";

/** Where archives are taken apart. */
export interface ArchiveOptions {
  /** A directory with room for the whole image. */
  readonly temporary: string;
}

/** Reads a whole archive file; `reference` as `findEntry` takes it. Dispose the source: it holds a temporary directory. */
export function openArchiveSource(
  scope: Scope,
  name: string,
  file: string,
  reference: string | undefined,
  options: ArchiveOptions,
): Promise<ImageSource> {
  return readArchiveSource(scope, name, readArchiveFile(file), reference, options);
}

/** The same for an archive that comes as a stream. */
export async function readArchiveSource(
  scope: Scope,
  name: string,
  archive: AsyncIterable<Uint8Array>,
  reference: string | undefined,
  options: ArchiveOptions,
): Promise<ImageSource> {
  const directory = await TemporaryDirectory.make(scope, options.temporary, "teu-archive-");
  const dispose = async (): Promise<void> => await directory[Symbol.asyncDispose]();
  try {
    const store = await DiskContentStore.open(join(directory.path, "store"));
    const found = await loadArchive(scope, archive, store);
    const entries = found.flatMap((image) => [
      ...(image.labels.length === 0 || image.names.length > 0 ? layoutIndex([image]).manifests : []),
      ...image.labels.map((label) => ({ ...image.descriptor, annotations: { [REF_NAME]: label } })),
    ]);
    return storeSource({
      name,
      store,
      resolve: async () => findEntry(name, entries, reference),
      listed: async () => found.map(({ descriptor }) => descriptor),
      dispose,
    });
  } catch (error) {
    await dispose();
    throw archiveError(name, error);
  }
}
