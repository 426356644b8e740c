// `teu registry export`: repositories as one plain OCI layout, while the registry serves. Tagged images are named "team/app:v1", as
// skopeo and podman read it; manifests that no tag and no index leads to carry their repository in an annotation.
// Doing it again adds what is missing: a blob that is there is not written twice.

import { randomUUID } from "node:crypto";
import { open, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Scope } from "@teu/base/scope";
import { manifestFacts } from "@teu/distribution/server/manifest-facts";
import type { ListedManifest, MetadataStorage } from "@teu/distribution/server/metadata-storage";
import { makeDirectory } from "@teu/files/make-directory";
import { type Digest, digestAlgorithm, digestEncoded } from "@teu/image/digest";
import { changeLayoutIndex, prepareLayout } from "@teu/image/layout/layout-directory";
import { REF_NAME } from "@teu/image/layout/layout-files";
import { joinWriters } from "@teu/image/layout/layout-writers";
import type { Descriptor } from "@teu/specs/image";

import { bringFile } from "../storage/bring-file.ts";
import { fileError, isErrno } from "../storage/file-error.ts";
import type { OpenRoot } from "./open-root.ts";

/** Names the repository of an entry that has no tag. */
export const REPOSITORY_ANNOTATION = "dev.teu.registry.repository";

/** What is exported, and how. */
export interface ExportOptions {
  /** Absent: all. */
  readonly repositories?: readonly string[];
  /** Hard links instead of copies where the file system can: the layout must then never be written to. Default false. */
  readonly link?: boolean;
}

/** What an export did. */
export interface ExportReport {
  readonly repositories: number;
  readonly manifests: number;
  /** Blobs written; those that were there are not counted. */
  readonly blobs: number;
  /** Blobs that manifests name and the repository does not have. */
  readonly missing: readonly Digest[];
}

const PAGE = 200;

/** Exports into a layout directory, made when missing. @throws TeuError `not-found` for a repository that is not there. */
export async function exportLayout(
  scope: Scope,
  root: OpenRoot,
  directory: string,
  options: ExportOptions = {},
): Promise<ExportReport> {
  for (const repository of options.repositories ?? []) await root.checkRepository(scope, repository, "export");
  await prepareLayout(directory);
  await using _ = await joinWriters(scope, directory);
  const target = new LayoutTarget(root, directory, options.link ?? false);
  const entries: Descriptor[] = [];
  let [repositories, manifests] = [0, 0];
  for await (const repository of names(scope, root.metadata, options.repositories)) {
    const found = await exportRepository(scope, root.metadata, repository, target);
    entries.push(...found.entries);
    manifests += found.manifests;
    repositories++;
  }
  await target.settle();
  await changeLayoutIndex(scope, directory, (present) => {
    const key = (entry: Descriptor): string =>
      entry.annotations?.[REF_NAME] ?? `${entry.annotations?.[REPOSITORY_ANNOTATION]}@${entry.digest}`;
    const replaced = new Set(entries.map(key));
    return { ...present, manifests: [...present.manifests.filter((entry) => !replaced.has(key(entry))), ...entries] };
  });
  return { repositories, manifests, blobs: target.written, missing: [...target.missing] };
}

async function* names(
  scope: Scope,
  metadata: MetadataStorage,
  wanted: readonly string[] | undefined,
): AsyncIterable<string> {
  if (wanted !== undefined) return yield* wanted;
  for (let after = ""; ;) {
    const page = await metadata.listRepositories(scope, { after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1) ?? "";
  }
}

async function exportRepository(
  scope: Scope,
  metadata: MetadataStorage,
  repository: string,
  target: LayoutTarget,
): Promise<{ entries: Descriptor[]; manifests: number }> {
  const descriptors = new Map<Digest, Descriptor>();
  const parts = new Set<Digest>();
  for await (const manifest of liveManifests(scope, metadata, repository)) {
    const { digest, mediaType, bytes } = manifest;
    const facts = manifestFacts({ bytes, contentType: mediaType, digest, sparse: false });
    for (const { kind, digest: part, required } of facts.references) {
      if (kind === "manifest") parts.add(part);
      else await target.blob(part, required);
    }
    await target.document(digest, bytes);
    const { artifactType } = facts;
    const isReferrer = facts.subject !== undefined && artifactType !== undefined;
    descriptors.set(digest, { mediaType, digest, size: bytes.length, ...(isReferrer ? { artifactType } : {}) });
  }
  const entries: Descriptor[] = [];
  const tagged = new Set<Digest>();
  for (let after = ""; ;) {
    const tags = await metadata.listTagTargets(scope, repository, { after, limit: PAGE });
    for (const { tag, digest } of tags) {
      const descriptor = descriptors.get(digest);
      // Pushed since the manifests were listed: the next export has it.
      if (descriptor === undefined) continue;
      tagged.add(digest);
      entries.push({ ...descriptor, annotations: { [REF_NAME]: `${repository}:${tag}` } });
    }
    if (tags.length < PAGE) break;
    after = tags.at(-1)?.tag ?? "";
  }
  for (const [digest, descriptor] of descriptors)
    if (!tagged.has(digest) && !parts.has(digest))
      entries.push({ ...descriptor, annotations: { [REPOSITORY_ANNOTATION]: repository } });
  return { entries, manifests: descriptors.size };
}

async function* liveManifests(
  scope: Scope,
  metadata: MetadataStorage,
  repository: string,
): AsyncIterable<ListedManifest> {
  for (let after: string | null | undefined; after !== null;) {
    const step: { after?: string } = after === undefined ? {} : { after };
    const { manifests, next } = await metadata.listManifests(scope, { limit: PAGE, repository, ...step });
    yield* manifests.filter(({ deletedAt }) => deletedAt === null);
    after = next;
  }
}

/** A layout's blobs/. */
class LayoutTarget {
  readonly missing: Set<Digest> = new Set();
  written = 0;
  readonly #root: OpenRoot;
  readonly #directory: string;
  readonly #link: boolean;
  readonly #done: Set<Digest> = new Set();
  readonly #algorithms: Set<string> = new Set();

  constructor(root: OpenRoot, directory: string, link: boolean) {
    this.#root = root;
    this.#directory = directory;
    this.#link = link;
  }

  async document(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#once(digest, bytes.length, (part) => writeFile(part, bytes, { mode: 0o644, flush: true }));
  }

  async blob(digest: Digest, required: boolean): Promise<void> {
    if (this.#done.has(digest)) return;
    const file = this.#root.blobs.pathOf(digest);
    try {
      const { size } = await stat(file);
      await this.#once(digest, size, (part) => bringFile(file, part, { link: this.#link, mode: 0o644 }));
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw fileError("export blob", digest, error);
      if (required) this.missing.add(digest);
    }
  }

  /** Makes what was written durable. */
  async settle(): Promise<void> {
    for (const algorithm of this.#algorithms) {
      const handle = await open(path.join(this.#directory, "blobs", algorithm), "r");
      await handle.sync();
      await handle.close();
    }
  }

  async #once(digest: Digest, size: number, bring: (part: string) => Promise<void>): Promise<void> {
    if (this.#done.has(digest)) return;
    const algorithm = digestAlgorithm(digest);
    const directory = path.join(this.#directory, "blobs", algorithm);
    makeDirectory(directory, 0o777);
    this.#algorithms.add(algorithm);
    const file = path.join(directory, digestEncoded(digest));
    if ((await sizeOf(file)) !== size) {
      const part = path.join(this.#directory, "ingest", `tmp-${randomUUID()}`);
      makeDirectory(path.dirname(part), 0o700);
      try {
        await bring(part);
        await rename(part, file);
      } finally {
        await rm(part, { force: true });
      }
      this.written++;
    }
    this.#done.add(digest);
  }
}

async function sizeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  }
}
