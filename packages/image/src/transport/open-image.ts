// Looking into an image wherever it is: immutable values that read what they are asked for, and verify what they read.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  parseImageConfig,
  parseIndex,
  parseManifest,
  type Platform,
} from "@teu/specs/image";

import type { ReadOptions } from "../content-store.ts";
import { parseDigest } from "../digest.ts";
import { checkMediaType, isIndexType, isManifestType } from "../documents.ts";
import { choosePlatform, formatPlatform } from "../platform.ts";
import { BlobVerifier, collectBytes, verifyStream, verifyStreamBeside } from "../verified-stream.ts";
import type { BlobIdentity, ImageDocument, ImageSource } from "./source-and-sink.ts";

/** Indexes in indexes on the way to a platform; more is an attack. */
const MAX_DEPTH = 8;
/** Bytes. */
const WORTH_THREADS = 1 << 20;

/** An image of one platform, or an artifact. */
export class Image {
  readonly document: ImageDocument;
  readonly manifest: ImageManifest;
  readonly #source: ImageSource;

  constructor(source: ImageSource, document: ImageDocument) {
    this.#source = source;
    this.document = document;
    this.manifest = parseManifest(document.bytes);
    checkMediaType(document.descriptor, this.manifest.mediaType);
  }

  /** Config and layers. */
  get blobs(): readonly Descriptor[] {
    return [this.manifest.config, ...this.manifest.layers];
  }

  /** The config's exact bytes. */
  async configBytes(scope: Scope): Promise<Uint8Array> {
    const { config } = this.manifest;
    if (config.size > DOCUMENT_LIMITS.config) throw tooLarge(config, DOCUMENT_LIMITS.config);
    const blob = { digest: parseDigest(config.digest), size: config.size };
    return collectBytes(readBlob(scope, this.#source, blob), DOCUMENT_LIMITS.config);
  }

  /** The config. @throws TeuError `invalid` when it is none of an image: artifacts have their own. */
  async config(scope: Scope): Promise<ImageConfig> {
    return parseImageConfig(await this.configBytes(scope));
  }
}

/** An index or manifest list. */
export class Index {
  readonly document: ImageDocument;
  readonly index: ImageIndex;

  constructor(document: ImageDocument) {
    this.document = document;
    this.index = parseIndex(document.bytes);
    checkMediaType(document.descriptor, this.index.mediaType);
  }

  /** Entries that are manifests or indexes themselves. */
  get documents(): readonly Descriptor[] {
    return this.index.manifests.filter(({ mediaType }) => isDocumentType(mediaType));
  }

  /** Entries of types that are not known here: content without parts. */
  get others(): readonly Descriptor[] {
    return this.index.manifests.filter(({ mediaType }) => !isDocumentType(mediaType));
  }
}

/** Whether a descriptor names a document that can be opened. */
export function isDocumentType(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** Opens what a descriptor names, verified. @throws TeuError `corrupt`, `exhausted`, `invalid`, `unsupported` for other types. */
export async function openDocument(scope: Scope, source: ImageSource, descriptor: Descriptor): Promise<Image | Index> {
  const { mediaType, size } = descriptor;
  if (!isDocumentType(mediaType)) {
    throw new TeuError({
      code: "unsupported",
      op: "read image",
      subject: source.name,
      message: `it is ${JSON.stringify(mediaType.slice(0, 200))}`,
      hint: "OCI images and indexes and Docker's schema 2 are understood",
    });
  }
  if (size > DOCUMENT_LIMITS.manifest) throw tooLarge(descriptor, DOCUMENT_LIMITS.manifest);
  const digest = parseDigest(descriptor.digest);
  const bytes = await source.document(scope, descriptor);
  const verifier = new BlobVerifier("read image", { digest, size });
  verifier.update(bytes);
  verifier.finish();
  const document = { descriptor: { ...descriptor, digest }, bytes };
  return isIndexType(mediaType) ? new Index(document) : new Image(source, document);
}

/** Opens what the source's name stands for; with a platform, the image for it where that is an index. @throws TeuError `not-found`. */
export async function openImage(scope: Scope, source: ImageSource): Promise<Image | Index>;
export async function openImage(scope: Scope, source: ImageSource, platform: Platform): Promise<Image>;
export async function openImage(scope: Scope, source: ImageSource, platform?: Platform): Promise<Image | Index> {
  return openEnd(await openPath(scope, source, platform ?? "all"));
}

/** The same with the way there: what the name stands for first, then indexes, the image last. With "all" only the first. */
export async function openPath(scope: Scope, source: ImageSource, platform: Platform | "all"): Promise<OpenPath> {
  const first = await openDocument(scope, source, await source.resolve(scope));
  return platform === "all" ? [first] : pathFrom(scope, source, first, platform);
}

/** The same for several platforms; what the name stands for is read once. */
export async function openPaths(
  scope: Scope,
  source: ImageSource,
  platforms: readonly Platform[],
): Promise<readonly [OpenPath, ...OpenPath[]]> {
  const first = await openDocument(scope, source, await source.resolve(scope));
  const paths: OpenPath[] = [];
  for (const platform of platforms) paths.push(await pathFrom(scope, source, first, platform));
  const [one = [first] as const, ...others] = paths;
  return [one, ...others];
}

/** What a name stands for, and what is below it on the way to one image. */
export type OpenPath = readonly [Image | Index, ...(Image | Index)[]];

async function pathFrom(
  scope: Scope,
  source: ImageSource,
  first: Image | Index,
  platform: Platform,
): Promise<OpenPath> {
  const path: [Image | Index, ...(Image | Index)[]] = [first];
  for (let value = first; value instanceof Index;) {
    if (path.length > MAX_DEPTH) throw fault("exhausted", source, `indexes nested deeper than ${MAX_DEPTH}`);
    value = await openDocument(scope, source, chosenManifest(source, value, platform));
    path.push(value);
  }
  return path;
}

/** Where a path ends. */
export function openEnd(path: OpenPath): Image | Index {
  return path.at(-1) ?? path[0];
}

/** A blob of a source, verified to its end: nothing may be trusted before. */
export function readBlob(
  scope: Scope,
  source: ImageSource,
  blob: BlobIdentity,
  options?: ReadOptions,
): AsyncIterable<Uint8Array> {
  const content = source.blob(scope, blob, 0, options);
  // Files come in large chunks, whose hash can be had beside what is done with them.
  const isLarge = source.file !== undefined && blob.size >= WORTH_THREADS;
  return isLarge ? verifyStreamBeside(content, blob) : verifyStream(content, blob);
}

/** The entry of an index for a platform. @throws TeuError `not-found`, saying what there is. */
function chosenManifest(source: ImageSource, index: Index, platform: Platform): Descriptor {
  const { documents } = index;
  const found = choosePlatform(documents, platform);
  if (found !== null) return found;
  const there = new Set(
    documents.flatMap((entry) => (entry.platform === undefined ? [] : [formatPlatform(entry.platform)])),
  );
  const list = [...there].slice(0, 20).join(", ");
  throw new TeuError({
    code: "not-found",
    op: "read image",
    subject: source.name,
    message: `no manifest for ${formatPlatform(platform)}`,
    hint: list === "" ? "its index names no platforms" : `it exists for ${list}`,
  });
}

function fault(code: "exhausted", source: ImageSource, message: string): TeuError {
  return new TeuError({ code, op: "read image", subject: source.name, message });
}

function tooLarge({ digest, size }: Descriptor, limit: number): TeuError {
  return new TeuError({
    code: "exhausted",
    op: "read image",
    subject: digest,
    message: `${size} bytes, limit is ${limit}`,
  });
}
