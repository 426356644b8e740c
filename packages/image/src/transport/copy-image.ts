// Copies an image from any source to any sink, bytes and digests as they are: documents are walked first, then blobs go several
// at once, then documents, each after what it refers to, and the name last. What is there already is not sent again.

import { isTeuError, TeuError } from "@teu/base/errors";
import { inParallel } from "@teu/base/parallel";
import type { Scope } from "@teu/base/scope";
import type { Descriptor, Platform } from "@teu/specs/image";

import type { ReadOptions } from "../content-store.ts";
import { algorithmFor, type Digest, digestOf, parseDigest } from "../digest.ts";
import { isDistributable } from "../internal/distributable.ts";
import {
  type Image,
  Index,
  isDocumentType,
  openDocument,
  openEnd,
  type OpenPath,
  openPath,
  openPaths,
  readBlob,
} from "./open-image.ts";
import type { BlobIdentity, BlobOutcome, ImageDocument, ImageSink, ImageSource, OpenBlob } from "./source-and-sink.ts";

/** What happens to one blob. */
export interface CopyEvent {
  readonly kind: "started" | "progress" | BlobOutcome;
  readonly digest: Digest;
  readonly size: number;
  /** Bytes that are there. */
  readonly offset: number;
}

/** What to copy, from where, to where. */
export interface CopyImageOptions {
  readonly source: ImageSource;
  readonly sink: ImageSink;
  /** Of an index: the image for one platform, or everything, or the index with some of its images only. */
  readonly platform: Platform | "all" | SparseIndex;
  /** What refers to the copied documents too, and what refers to that. */
  readonly referrers?: boolean;
  /**
   * Asked before any blob is read, once, of a sparse index once for each platform: what the source's name stands for and, through indexes, what is copied, with the bytes that
   * will be. What it throws ends the copy.
   */
  readonly approve?: (scope: Scope, documents: readonly ImageDocument[]) => Promise<void>;
  /** Most manifests and indexes; default 10,000. */
  readonly maxDocuments?: number;
  /** Must not throw. */
  readonly progress?: (event: CopyEvent) => void;
  /** Told of each image before any blob is asked for. Must not throw. */
  readonly onImage?: (image: Image) => void;
}

/** An index as it is, with the images for these platforms; the others stay where they are. Sinks of whole images refuse it. */
export interface SparseIndex {
  readonly sparse: readonly Platform[];
}

/** What was copied. */
export interface CopyImageResult {
  /** What the image is now, at both ends. */
  readonly descriptor: Descriptor & { readonly digest: Digest };
  /** Digests of manifests and indexes, referrers among them. */
  readonly documents: readonly Digest[];
  readonly referrers: number;
  /** Blobs by what became of them; `skipped`: not to be distributed. */
  readonly blobs: Readonly<Record<BlobOutcome | "skipped", number>>;
  /** Bytes of copied blobs. */
  readonly bytes: number;
}

const MAX_DEPTH = 8;
/** Manifests and indexes of one copy, and all their bytes, which are in memory. */
const MAX_DOCUMENTS = 10_000;
const MAX_DOCUMENT_BYTES = 128 << 20;
const CONCURRENCY = 4;

/**
 * Copies. Every byte was verified on the way.
 * @throws TeuError `not-found` (image, platform, a part), `corrupt`, `exhausted` beyond what honest images need, `unsupported`
 * when the sink cannot hold what is asked for.
 */
export async function copyImage(scope: Scope, options: CopyImageOptions): Promise<CopyImageResult> {
  const { source, sink } = options;
  if (options.referrers === true && sink.noReferrers !== undefined) throw noReferrers(sink.name, sink.noReferrers);
  const { platform } = options;
  const isSparse = platform !== "all" && "sparse" in platform;
  const paths: readonly [OpenPath, ...OpenPath[]] = isSparse
    ? await openPaths(scope, source, platform.sparse)
    : [await openPath(scope, source, platform)];
  const root = isSparse ? paths[0][0] : openEnd(paths[0]);
  for (const path of paths) {
    await options.approve?.(
      scope,
      path.map(({ document }) => document),
    );
  }
  const tree = new Tree(options.source, options.maxDocuments ?? MAX_DOCUMENTS);
  await tree.add(scope, root, 0, isSparse ? byDigest(paths.flat()) : null);
  const own = tree.documents.length;
  for (const image of tree.images) options.onImage?.(image);
  if (options.referrers === true) await tree.addReferrers(scope);
  const counts = await copyBlobs(scope, options, [...tree.blobs.values()]);
  for (const [index, document] of tree.documents.entries()) {
    if (document !== root.document) await sink.putDocument(scope, document, index >= own && tree.isReferrer(document));
  }
  await sink.finish(scope, root.document);
  return {
    descriptor: root.document.descriptor,
    documents: tree.documents.map((document) => document.descriptor.digest),
    referrers: tree.referrerCount,
    ...counts,
  };
}

/** Documents that were read, by digest. */
type OpenDocuments = ReadonlyMap<string, Image | Index>;

function byDigest(values: readonly (Image | Index)[]): OpenDocuments {
  return new Map(values.map((value) => [value.document.descriptor.digest, value]));
}

function childrenOf(index: Index, wanted: OpenDocuments): readonly Descriptor[] {
  const entries = new Map(index.documents.map((entry) => [entry.digest, entry]));
  return [...wanted.keys()].flatMap((digest) => entries.get(digest) ?? []);
}

/** Everything that is to be copied; each digest once. Children stand before parents, subjects before referrers. */
class Tree {
  readonly documents: ImageDocument[] = [];
  readonly images: Image[] = [];
  readonly blobs = new Map<string, Descriptor>();
  readonly #source: ImageSource;
  readonly #maxDocuments: number;
  readonly #seen = new Set<string>();
  readonly #referrers = new Set<string>();
  #bytes = 0;

  constructor(source: ImageSource, maxDocuments: number) {
    this.#source = source;
    this.#maxDocuments = maxDocuments;
  }

  get referrerCount(): number {
    return this.#referrers.size;
  }

  isReferrer({ descriptor }: ImageDocument): boolean {
    return this.#referrers.has(descriptor.digest);
  }

  /**
   * By digest: shared children are walked once, or nested indexes could make it exponential. `wanted`: of indexes only what is open
   * already, in this order.
   */
  async add(scope: Scope, value: Image | Index, depth: number, wanted: OpenDocuments | null): Promise<void> {
    const { document } = value;
    this.#seen.add(document.descriptor.digest);
    this.#bytes += document.bytes.length;
    if (depth > MAX_DEPTH) throw this.#tooMuch(`indexes nested deeper than ${MAX_DEPTH}`);
    if (this.#seen.size > this.#maxDocuments) throw this.#tooMuch(`more than ${this.#maxDocuments} manifests`);
    if (this.#bytes > MAX_DOCUMENT_BYTES) throw this.#tooMuch(`more than ${MAX_DOCUMENT_BYTES} bytes of manifests`);
    if (value instanceof Index) {
      for (const blob of wanted === null ? value.others : []) this.#addBlob(blob);
      for (const child of wanted === null ? value.documents : childrenOf(value, wanted))
        await this.#addDescriptor(scope, child, depth + 1, wanted);
    } else {
      for (const blob of value.blobs) this.#addBlob(blob);
      this.images.push(value);
    }
    this.documents.push(document);
  }

  /** What refers to the documents, and to those that are found so: cycles end because each digest is visited once. */
  async addReferrers(scope: Scope): Promise<void> {
    if (this.#source.referrers === undefined) return;
    for (let at = 0; at < this.documents.length; at++) {
      const subject = this.documents[at]?.descriptor.digest;
      if (subject === undefined) continue;
      for (const found of await this.#source.referrers(scope, subject)) {
        if (!isDocumentType(found.mediaType) || this.#seen.has(found.digest)) continue;
        this.#referrers.add(found.digest);
        await this.#addDescriptor(scope, found, 0, null);
      }
    }
  }

  async #addDescriptor(
    scope: Scope,
    descriptor: Descriptor,
    depth: number,
    wanted: OpenDocuments | null,
  ): Promise<void> {
    if (this.#seen.has(descriptor.digest)) return;
    const open = wanted?.get(descriptor.digest) ?? (await openDocument(scope, this.#source, descriptor));
    await this.add(scope, open, depth, wanted);
  }

  #addBlob(blob: Descriptor): void {
    const known = this.blobs.get(blob.digest);
    if (known === undefined) this.blobs.set(blob.digest, blob);
    else if (known.size !== blob.size) {
      throw new TeuError({
        code: "corrupt",
        op: "copy image",
        subject: blob.digest,
        message: `declared with ${known.size} bytes and with ${blob.size}`,
      });
    }
  }

  #tooMuch(message: string): TeuError {
    return new TeuError({ code: "exhausted", op: "copy image", subject: this.#source.name, message });
  }
}

async function copyBlobs(
  scope: Scope,
  options: CopyImageOptions,
  blobs: readonly Descriptor[],
): Promise<Pick<CopyImageResult, "blobs" | "bytes">> {
  const counts = { copied: 0, present: 0, mounted: 0, skipped: 0 };
  let bytes = 0;
  const { concurrency = CONCURRENCY, filesAtOnce = concurrency } = options.sink;
  const atOnce = options.source.file === undefined ? concurrency : filesAtOnce;
  await inParallel(scope, blobs, atOnce, async (inner, blob) => {
    const outcome = await copyBlob(inner, options, blob);
    counts[outcome]++;
    if (outcome === "copied") bytes += blob.size;
  });
  return { blobs: counts, bytes };
}

async function copyBlob(
  scope: Scope,
  { source, sink, progress }: CopyImageOptions,
  blob: Descriptor,
): Promise<BlobOutcome | "skipped"> {
  const elsewhere = !isDistributable(blob.mediaType);
  if (elsewhere && sink.distributes === true) return "skipped";
  const identity = { digest: parseDigest(blob.digest), size: blob.size };
  let at = -1;
  const put = (): Promise<BlobOutcome> =>
    sink.putBlob(scope, identity, opener(scope, source, sink, blob, identity), (offset) => {
      // Backwards: what was gone on with turned out wrong, and it begins anew.
      progress?.({ kind: at < 0 || offset < at ? "started" : "progress", ...identity, offset });
      at = offset;
    });
  try {
    const outcome = await put().catch(async (error: unknown) => {
      const again = isTeuError(error, "corrupt") && sink.repeatable !== false;
      if (again && (await source.distrust?.(scope, identity)) === true) return await put();
      throw error;
    });
    progress?.({ kind: outcome, ...identity, offset: identity.size });
    return outcome;
  } catch (error) {
    // Whoever made the image was free to leave it out; `urls` are never fetched.
    if (elsewhere && sink.complete !== true && isTeuError(error, "not-found")) return "skipped";
    throw error;
  }
}

function opener(
  scope: Scope,
  source: ImageSource,
  sink: ImageSink,
  blob: Descriptor,
  identity: BlobIdentity,
): OpenBlob {
  const embedded = embeddedContent(blob);
  const open = (offset: number, options?: ReadOptions): AsyncIterable<Uint8Array> => {
    if (embedded !== null) return one(embedded.subarray(offset));
    return offset > 0 || sink.verifies === true
      ? source.blob(scope, identity, offset, options)
      : readBlob(scope, source, identity, options);
  };
  const file = embedded === null ? source.file?.(identity) : undefined;
  const { repository } = source;
  return Object.assign(open, file === undefined ? {} : { file }, repository === undefined ? {} : { repository });
}

/** `data` of a descriptor, when it is what the digest says. */
function embeddedContent(blob: Descriptor): Uint8Array | null {
  if (blob.data === undefined) return null;
  const content = Buffer.from(blob.data, "base64");
  const digest = parseDigest(blob.digest);
  const isIt = content.length === blob.size && digestOf(content, algorithmFor(digest)) === digest;
  return isIt ? content : null;
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

function noReferrers(name: string, why: string): TeuError {
  return new TeuError({ code: "unsupported", op: "copy referrers", subject: name, message: why });
}
