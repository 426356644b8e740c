// Unpacks one layer into a directory in overlay format, in one pass: size and digest of the blob, decompression, digest of
// the tar (DiffID), entries. Needs root unless told otherwise. Verified at the end, so the directory is only to be used after it returned;
// when it does not return, there is no directory.

import { readdir } from "node:fs/promises";

import { TeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { makeDirectory } from "@teu/files/make-directory";
import { reserveDescriptors } from "@teu/files/open";
import { removeTree } from "@teu/files/remove-tree";

import { decompress } from "../compression/decompress.ts";
import { layerCompression } from "../compression/detect.ts";
import { createPoolDigester, type Digest, digestAlgorithm, parseDigest } from "../digest.ts";
import { TarReader } from "../tar/reader.ts";
import { PoolBlobVerifier } from "../verified-stream.ts";
import { LayerWriter } from "./layer-writer.ts";
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from "./limits.ts";
import { OfferedBytes } from "./offered-bytes.ts";

/** Room for the directories that some layers at a time keep open. */
const DESCRIPTORS = 2048;

/** What to unpack, and where. */
export interface ApplyLayerOptions {
  /** The blob as stored: compressed or not. */
  readonly source: AsyncIterable<Uint8Array>;
  /** From the descriptor. Says whether this is a layer at all; how it is compressed is found out by looking. */
  readonly mediaType: string;
  /** Size of the blob from the descriptor; more bytes are refused as soon as they come. */
  readonly descriptorSize?: number;
  /** Digest of the blob from the descriptor; compared at the end. */
  readonly expectedDigest?: string;
  /** Digest of the uncompressed tar from the image's config; compared at the end. */
  readonly expectedDiffId?: string;
  /** A directory that is missing or empty. Made, and removed again on failure. */
  readonly target: string;
  /** Directories of the layers below, topmost first. */
  readonly lower: readonly string[];
  /**
   * As a user without root: every file is this user's, its real owner an extended attribute (user.rootlesscontainers, as umoci has
   * it), a device an empty file with one (user.containers.override_stat), overlayfs' marks those of its `userxattr`. What only
   * root may set (trusted.*, security.*) is dropped with a warning. The layers below must be unpacked so too. Default false.
   */
  readonly rootless?: boolean;
  readonly limits?: Partial<LayerLimits>;
}

/** What was unpacked. */
export interface AppliedLayer {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Digest of the blob as read. */
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** Bytes of the uncompressed tar. */
  readonly uncompressedSize: number;
  readonly entries: number;
}

/**
 * Unpacks a layer.
 * @throws TeuError `corrupt` (digest, size, archive, hostile entries), `exhausted` (limits, disk full), `unsupported`
 *   (media type, compression), `conflict` (target not empty), `denied` (not root, and not `rootless`), `cancelled`.
 */
export async function applyLayer(scope: Scope, options: ApplyLayerOptions): Promise<AppliedLayer> {
  if (layerCompression(options.mediaType) === null) {
    throw new TeuError({
      code: "unsupported",
      op: "unpack layer",
      subject: options.mediaType,
      message: "it is not a layer's media type",
    });
  }
  await prepareTarget(options.target);
  void reserveDescriptors(DESCRIPTORS);
  try {
    return await unpack(scope, options);
  } catch (error) {
    await removeTree(cleanupScope(scope, REMOVAL_PATIENCE), options.target);
    throw fileError("unpack layer", options.target, error);
  }
}

async function unpack(scope: Scope, options: ApplyLayerOptions): Promise<AppliedLayer> {
  const limits = { ...DEFAULT_LAYER_LIMITS, ...options.limits };
  const blob = new PoolBlobVerifier("unpack layer", expectedBlob(options));
  const wanted = options.expectedDiffId === undefined ? undefined : parseDigest(options.expectedDiffId);
  const tar = createPoolDigester(wanted === undefined ? "sha256" : digestAlgorithm(wanted));
  using writer = new LayerWriter(scope.log, options.target, options.lower, options.rootless === true);
  const reader = new TarReader(writer, limits);
  const offered = new OfferedBytes(blob);
  for await (const chunk of decompress(scope, offered.through(options.source), limits, { reuse: true })) {
    reader.write(chunk);
    // Hashed in the thread pool, and its files written there, while the next one is read here. Two digests at
    // once cost a thread less than one after the other.
    await offered.handOver((bytes) => writer.flush(tar.handOver(chunk), bytes));
  }
  await writer.flush();
  reader.end();
  const digest = blob.finish();
  const uncompressedSize = tar.size;
  const diffId = tar.digest();
  if (wanted !== undefined && diffId !== wanted) {
    throw new TeuError({
      code: "corrupt",
      op: "unpack layer",
      subject: digest,
      message: `its content has DiffID ${diffId}, the image says ${wanted}`,
    });
  }
  writer.finish();
  return { diffId, digest, size: blob.size, uncompressedSize, entries: reader.entries };
}

function expectedBlob({ descriptorSize, expectedDigest }: ApplyLayerOptions): { size?: number; digest?: Digest } {
  return {
    ...(descriptorSize === undefined ? {} : { size: descriptorSize }),
    ...(expectedDigest === undefined ? {} : { digest: parseDigest(expectedDigest) }),
  };
}

async function prepareTarget(target: string): Promise<void> {
  let present: string[];
  try {
    makeDirectory(target, 0o755);
    present = await readdir(target);
  } catch (error) {
    throw fileError("unpack layer", target, error);
  }
  if (present.length === 0) return;
  throw new TeuError({
    code: "conflict",
    op: "unpack layer",
    subject: target,
    message: "target directory is not empty",
  });
}
