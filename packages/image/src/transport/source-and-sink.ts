// Places that images are read from and written to, whatever they are: a registry, a layout, an archive, an engine's store.
// Who makes one gives a few methods; looking into images (open-image.ts) and copying (copy-image.ts) are derived from them.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import type { ReadOptions } from "../content-store.ts";
import type { Digest } from "../digest.ts";

/** A manifest or index: its bytes, and a descriptor that is true of them. */
export interface ImageDocument {
  readonly descriptor: Descriptor & { readonly digest: Digest };
  readonly bytes: Uint8Array;
}

/** A blob as a transfer needs to know it. */
export interface BlobIdentity {
  readonly digest: Digest;
  readonly size: number;
}

/** One image in one place, to be read. Nothing of what the methods give is believed: who calls them verifies. */
export interface ImageSource extends AsyncDisposable {
  /** The place in the words of its users: "oci:/tmp/layout:v1". */
  readonly name: string;
  /** What the name stands for: a manifest or an index. @throws TeuError `not-found`, `conflict` when several could be meant. */
  resolve(scope: Scope): Promise<Descriptor>;
  /** The bytes of a manifest or index, at most its size. @throws TeuError `not-found`. */
  document(scope: Scope, descriptor: Descriptor): Promise<Uint8Array>;
  /** The bytes of a blob from `offset` on. @throws TeuError `not-found`. */
  blob(scope: Scope, blob: BlobIdentity, offset: number, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** Where a blob is as a file of this host, for a sink that can share it; absent where blobs are no files. */
  file?(blob: BlobIdentity): string;
  /** Manifests that have `digest` as their subject; absent where a place keeps none. */
  referrers?(scope: Scope, digest: Digest): Promise<readonly Descriptor[]>;
  /** Signature `number`, from 1, of those that stand beside a manifest; null: no more. @throws TeuError `exhausted` beyond `limit` bytes. */
  signature?(scope: Scope, digest: Digest, number: number, limit: number): Promise<Uint8Array | null>;
  /**
   * Told that the bytes of a blob were wrong: true when another read takes them from elsewhere, as from a registry instead of its
   * mirror. Absent: there is one place only.
   */
  distrust?(scope: Scope, blob: BlobIdentity): Promise<boolean>;
  /** The registry and repository that have all this: a sink on the same registry has no need of the bytes. */
  readonly repository?: SourceRepository;
}

/** A repository of a registry. */
export interface SourceRepository {
  /** As in references: "docker.io", "localhost:5000". */
  readonly domain: string;
  readonly repository: string;
}

/** How a blob got to where it is. */
export type BlobOutcome = "copied" | "present" | "mounted";

/** Opens the content of a blob at an offset; may be called several times. Reads that begin at 0 are verified at their end. */
export interface OpenBlob {
  (offset: number, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** The same content as a file of this host, not verified. */
  readonly file?: string;
  /** A repository that may have the same content. */
  readonly repository?: SourceRepository;
}

/**
 * One place for one image, to be written. The order of calls: blobs in any order, several at once; then documents, each after
 * what it refers to; then `finish`. Disposing without `finish` leaves nothing that is visible under a name.
 */
export interface ImageSink extends AsyncDisposable {
  /** The place in the words of its users. */
  readonly name: string;
  /** Sees to it that the place has the blob. `progress` is told the bytes that are there. @throws TeuError `corrupt`. */
  putBlob(scope: Scope, blob: BlobIdentity, open: OpenBlob, progress: (offset: number) => void): Promise<BlobOutcome>;
  /** Stores a document that is not the root. `referrer`: nothing but its subject leads to it. */
  putDocument(scope: Scope, document: ImageDocument, referrer: boolean): Promise<void>;
  /** Stores the root and makes the image visible under its name. */
  finish(scope: Scope, root: ImageDocument): Promise<void>;
  /** Blobs at once; default 4. */
  readonly concurrency?: number;
  /** The same where the source has its blobs as files of this host; default `concurrency`. */
  readonly filesAtOnce?: number;
  /** Why the place can hold no referrers; absent: it can. */
  readonly noReferrers?: string;
  /** Whether layers that are not to be distributed are left out. */
  readonly distributes?: boolean;
  /** Whether layers that are not to be distributed must be there all the same: the image is to run. */
  readonly complete?: boolean;
  /** Whether `putBlob` can be called again after it failed. Default true; what is written in one go cannot. */
  readonly repeatable?: boolean;
  /** Whether `putBlob` verifies what it reads. */
  readonly verifies?: boolean;
}
