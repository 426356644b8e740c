// A tar for one image (`oci-archive:`, `docker-archive:`), written in one go while blobs arrive: into a file, which appears when it is
// whole, or to whoever takes such a stream. Both are OCI layouts; docker-archive has Docker's manifest.json beside, as `docker save`
// writes it since version 25.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { WholeFile } from "@teu/files/whole-file";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";

import { type Digest, digestAlgorithm } from "../digest.ts";
import { dockerManifest, DOCKER_MANIFEST } from "../docker-archive/manifest-json.ts";
import { blobPath, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE } from "../layout/layout-files.ts";
import { MemoryContentStore } from "../memory-content-store.ts";
import { familiarText, type Reference } from "../reference.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../tar/writer.ts";
import { withEntries } from "./layout-entries.ts";
import type { BlobIdentity, BlobOutcome, ImageDocument, ImageSink, OpenBlob } from "./source-and-sink.ts";
import { putStoreDocument } from "./store-image.ts";

/** What the archive is to be. */
export interface ArchiveSinkOptions {
  /** Write Docker's list too, with these names for the image; only single images then. */
  readonly docker?: { readonly names: readonly Reference[] };
  /** The ref.names in the layout's index; default: Docker's names. */
  readonly labels?: readonly string[];
}

/** Where an archive's bytes go. Disposing without `publish` leaves nothing. */
export interface ArchiveOutput extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  /** All was written. */
  publish(): Promise<void>;
}

/** A sink that writes a file. @throws TeuError when it cannot be made. */
export async function openArchiveSink(name: string, path: string, options: ArchiveSinkOptions): Promise<ImageSink> {
  return archiveSink(name, await WholeFile.create(path), options);
}

/** A sink that writes to an output, which it disposes. */
export function archiveSink(name: string, output: ArchiveOutput, options: ArchiveSinkOptions): ImageSink {
  return new ArchiveSink(name, output, options);
}

class ArchiveSink implements ImageSink {
  readonly name: string;
  /** A tar is one stream. */
  readonly concurrency = 1;
  readonly repeatable = false;
  readonly noReferrers?: string;
  readonly #output: ArchiveOutput;
  readonly #options: ArchiveSinkOptions;
  readonly #documents = new MemoryContentStore();
  readonly #referrers: Descriptor[] = [];
  readonly #directories = new Set<string>();
  readonly #written = new Set<Digest>();

  constructor(name: string, output: ArchiveOutput, options: ArchiveSinkOptions) {
    this.name = name;
    this.#output = output;
    this.#options = options;
    if (options.docker !== undefined) this.noReferrers = "Docker's archives hold single images only";
  }

  async putBlob(
    scope: Scope,
    blob: BlobIdentity,
    openBlob: OpenBlob,
    progress: (offset: number) => void,
  ): Promise<BlobOutcome> {
    if (this.#written.has(blob.digest)) return "present";
    progress(0);
    await this.#blob(scope, blob, openBlob(0), progress);
    return "copied";
  }

  async putDocument(scope: Scope, document: ImageDocument, referrer: boolean): Promise<void> {
    await putStoreDocument(scope, this.#documents, document);
    const { digest } = document.descriptor;
    if (referrer) this.#referrers.push(document.descriptor);
    if (!this.#written.has(digest)) await this.#blob(scope, { digest, size: document.bytes.length }, [document.bytes]);
  }

  async finish(scope: Scope, root: ImageDocument): Promise<void> {
    await this.putDocument(scope, root, false);
    const { docker, labels } = this.#options;
    const names = labels ?? docker?.names.map(familiarText) ?? [];
    const empty = { schemaVersion: 2 as const, mediaType: MEDIA_TYPES.index, manifests: [] };
    const index = withEntries(empty, root.descriptor, names, this.#referrers);
    await this.#small(INDEX_FILE, JSON.stringify(index));
    if (docker !== undefined) {
      const image = { descriptor: root.descriptor, names: docker.names };
      await this.#small(DOCKER_MANIFEST, JSON.stringify(await dockerManifest(scope, this.#documents, [image])));
    }
    await this.#small(LAYOUT_FILE, LAYOUT_CONTENT);
    await this.#output.write(TAR_END);
    await this.#output.publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output[Symbol.asyncDispose]();
  }

  async #blob(
    scope: Scope,
    { digest, size }: BlobIdentity,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    progress?: (offset: number) => void,
  ): Promise<void> {
    for (const directory of ["blobs", `blobs/${digestAlgorithm(digest)}`]) {
      if (this.#directories.has(directory)) continue;
      this.#directories.add(directory);
      await this.#output.write(encodeTarHeader(tarEntry({ type: "directory", name: directory })));
    }
    await this.#output.write(encodeTarHeader(tarEntry({ type: "file", name: blobPath(digest), size, mode: 0o444 })));
    let at = 0;
    for await (const chunk of content) {
      scope.check("write archive");
      await this.#output.write(chunk);
      at += chunk.length;
      progress?.(at);
    }
    if (at !== size)
      throw new TeuError({
        code: "corrupt",
        op: "write archive",
        subject: digest,
        message: `${at} bytes instead of ${size}`,
      });
    await this.#output.write(tarPadding(size));
    this.#written.add(digest);
  }

  async #small(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.#output.write(encodeTarHeader(tarEntry({ type: "file", name, size: bytes.length })));
    await this.#output.write(bytes);
    await this.#output.write(tarPadding(bytes.length));
  }
}
