// `teu registry import`: takes manifests with their blobs out of files (a layout, docker-registry's directory) into a registry,
// which may be serving. Bytes stay what they are: the same digests are served afterwards. All content is verified while it comes.
// Doing it again costs little: what is there is not brought twice.

import { randomUUID } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { manifestFacts } from "@teu/distribution/server/manifest-facts";
import type { NewManifest } from "@teu/distribution/server/metadata-storage";
import { Problem } from "@teu/distribution/server/problem";
import type { Digest } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";

import { isErrno } from "../storage/file-error.ts";
import type { OpenRoot } from "./open-root.ts";

/** A manifest of a repository in files. */
export interface FoundManifest {
  readonly repository: string;
  readonly digest: Digest;
  /** As the place says; absent: the document says. */
  readonly mediaType?: string;
  readonly tags: readonly string[];
}

/** Files that hold repositories. */
export interface ImportSource {
  manifests(scope: Scope): AsyncIterable<FoundManifest>;
  /** Where the content of a digest is, if it is there. */
  fileOf(digest: Digest): string;
}

/** How to import. */
export interface ImportOptions {
  /** Hard links instead of copies where the file system can: the source must then never be written to. Default false. */
  readonly link?: boolean;
  /** Take manifests whose layers or platforms are not all there. Default false. */
  readonly sparse?: boolean;
  readonly failed?: (failure: ImportFailure) => void;
}

/** A manifest that could not be imported. The others were. */
export interface ImportFailure {
  readonly subject: string;
  readonly message: string;
}

/** What an import did. What was there already is not counted. */
export interface ImportReport {
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly failures: readonly ImportFailure[];
}

/** Larger documents are no manifests. */
const LARGEST_MANIFEST = 64 << 20;
/** Indexes within indexes. */
const DEEPEST = 16;

/** Imports everything that `source` has. */
export async function importFrom(
  scope: Scope,
  root: OpenRoot,
  source: ImportSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const work = new Import(scope, root, source, options);
  for await (const found of source.manifests(scope)) await work.take(found);
  return work.report;
}

class Import {
  readonly #scope: Scope;
  readonly #root: OpenRoot;
  readonly #source: ImportSource;
  readonly #options: ImportOptions;
  readonly #counts = { manifests: 0, tags: 0, blobs: 0, bytes: 0 };
  readonly #failures: ImportFailure[] = [];

  constructor(scope: Scope, root: OpenRoot, source: ImportSource, options: ImportOptions) {
    this.#scope = scope;
    this.#root = root;
    this.#source = source;
    this.#options = options;
  }

  get report(): ImportReport {
    return { ...this.#counts, failures: this.#failures };
  }

  async take(found: FoundManifest): Promise<void> {
    try {
      await this.#manifest(found, 0);
    } catch (error) {
      if (isTeuError(error, "cancelled") || isTeuError(error, "timeout") || isTeuError(error, "exhausted")) throw error;
      const message = error instanceof Problem ? textOf(error) : isTeuError(error) ? error.message : null;
      if (message === null) throw error;
      const failure = { subject: `${found.repository}@${found.digest}`, message };
      this.#failures.push(failure);
      this.#options.failed?.(failure);
    }
  }

  async #manifest(found: FoundManifest, depth: number): Promise<void> {
    const { repository, digest, tags } = found;
    const { metadata } = this.#root;
    const missing: string[] = [];
    for (const tag of tags)
      if ((await metadata.findManifest(this.#scope, repository, { tag }))?.digest !== digest) missing.push(tag);
    const known = (await metadata.findManifest(this.#scope, repository, { digest })) !== null;
    if (known && missing.length === 0) return;
    const manifest = await this.#read(found);
    for (const { kind, digest: part, size } of manifest.references) {
      if (kind !== "manifest") await this.#blob(repository, part, size);
      else if (depth < DEEPEST && (await sizeOf(this.#source.fileOf(part))) !== null)
        await this.#manifest({ repository, digest: part, tags: [] }, depth + 1);
    }
    const outcome = await metadata.putManifest(this.#scope, repository, { manifest, tags: missing });
    if (outcome.kind === "missing")
      throw refuse(found, `it refers to content that is not there: ${outcome.digests.join(", ")}`);
    if (outcome.kind === "wrong-size") throw refuse(found, `${outcome.digest} has another size than the manifest says`);
    this.#counts.tags += missing.length;
    if (!known) this.#counts.manifests++;
  }

  async #read({ repository, digest, mediaType }: FoundManifest): Promise<NewManifest> {
    const file = this.#source.fileOf(digest);
    const size = await sizeOf(file);
    const subject = { repository, digest, tags: [] };
    if (size === null) throw refuse(subject, "its file is not there");
    if (size > LARGEST_MANIFEST) throw refuse(subject, `${size} bytes are too many for a manifest`);
    const bytes = await readFile(file);
    const contentType = mediaType ?? typeOf(bytes);
    return manifestFacts({ bytes, digest, contentType, sparse: this.#options.sparse ?? false });
  }

  async #blob(repository: string, digest: Digest, size: number): Promise<void> {
    const { metadata } = this.#root;
    if (await metadata.hasBlob(this.#scope, repository, digest)) return;
    const [other] = await metadata.repositoriesWithBlob(this.#scope, digest, 1);
    if (other !== undefined && (await metadata.mountBlob(this.#scope, repository, digest, other)) !== null) return;
    const file = this.#source.fileOf(digest);
    // What is not there or another is the manifest's to complain about.
    if ((await sizeOf(file)) !== size) return;
    await this.#bring(repository, digest, file);
    this.#counts.blobs++;
    this.#counts.bytes += size;
  }

  // As an upload over HTTP goes: docs/design/registry-storage.md.
  async #bring(repository: string, digest: Digest, file: string): Promise<void> {
    const { blobs, metadata } = this.#root;
    const id = randomUUID();
    await metadata.createUpload(this.#scope, { id, repository }, Number.MAX_SAFE_INTEGER);
    try {
      await blobs.adopt(this.#scope, id, file, { link: this.#options.link ?? false });
      await metadata.claimBlobs(this.#scope, id, [digest]);
      await using upload = await blobs.openUpload(this.#scope, id);
      const blob = await upload.commit(digest);
      if (await metadata.linkClaimed(this.#scope, repository, { upload: id, blobs: [blob], end: true })) return;
      throw new TeuError({
        code: "conflict",
        op: "import blob",
        subject: digest,
        message: "it was cleaned away meanwhile",
      });
    } catch (error) {
      await metadata.deleteUpload(this.#scope, id);
      await blobs.deleteUpload(this.#scope, id);
      throw error;
    }
  }
}

async function sizeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return null;
    throw error;
  }
}

function typeOf(bytes: Uint8Array): string | undefined {
  try {
    const body = JSON.parse(Buffer.from(bytes).toString("utf8")) as Record<string, unknown> | null;
    if (typeof body?.["mediaType"] === "string") return body["mediaType"];
    if (Array.isArray(body?.["manifests"])) return MEDIA_TYPES.index;
    return Array.isArray(body?.["layers"]) ? MEDIA_TYPES.manifest : undefined;
  } catch {
    return undefined;
  }
}

function refuse({ repository, digest }: FoundManifest, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "import manifest", subject: `${repository}@${digest}`, message });
}

function textOf(problem: Problem): string {
  return problem.entries.map(({ code, message }) => `${code}: ${message}`).join("; ");
}
