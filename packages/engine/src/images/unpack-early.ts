// Unpacks the layers of an image while later ones are still on their way: each as soon as it and everything below it are
// there. What makes the image (registerImage) then finds them unpacked; nothing here decides what an image is.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestOf, parseDigest } from "@teu/image/digest";
import { parseManifest } from "@teu/specs/image";

import type { HeldLease } from "../store/hold-lease.ts";
import { checkIsImage, diffIdsOf, readConfig } from "./image-of.ts";
import type { ImageProgress } from "./images.ts";

/** What a download tells the unpacking. */
export interface Arrivals {
  /** A manifest whose layers come. */
  readonly manifest: (bytes: Uint8Array) => void;
  /** This blob is in the store. */
  readonly blob: (digest: Digest) => void;
}

/**
 * Runs `download` and unpacks beside it. The first failure of either ends both, and is thrown when neither runs any more.
 */
export async function unpackWhile<T>(
  scope: Scope,
  lease: HeldLease,
  progress: ((event: ImageProgress) => void) | undefined,
  download: (scope: Scope, arrivals: Arrivals) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const inner = scope.withSignal(stop.signal);
  const blobs = new Map<Digest, PromiseWithResolvers<void>>();
  const arrival = (digest: Digest): PromiseWithResolvers<void> => {
    let entry = blobs.get(digest);
    if (entry === undefined) blobs.set(digest, (entry = Promise.withResolvers()));
    // Most of them nobody waits for yet when the download fails.
    entry.promise.catch(() => {});
    return entry;
  };
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort();
    for (const { reject } of blobs.values()) reject(error);
  };
  let unpacking: Promise<void> = Promise.resolve();
  const arrivals: Arrivals = {
    manifest: (bytes) => {
      const wait = (digest: Digest): Promise<void> => {
        const { promise, reject } = arrival(digest);
        if (failure !== undefined) reject(failure.error);
        return promise;
      };
      // Of several images one after another: they share layers.
      unpacking = unpacking.then(() => unpackLayers(inner, lease, bytes, wait, progress)).catch(fail);
    },
    blob: (digest) => arrival(digest).resolve(),
  };
  const result = await download(inner, arrivals).catch((error: unknown) => void fail(error));
  await unpacking;
  if (failure !== undefined) throw failure.error;
  return result as T;
}

async function unpackLayers(
  scope: Scope,
  lease: HeldLease,
  bytes: Uint8Array,
  arrived: (digest: Digest) => Promise<void>,
  progress: ((event: ImageProgress) => void) | undefined,
): Promise<void> {
  const manifest = parseManifest(bytes);
  checkIsImage(manifest, digestOf(bytes));
  const id = parseDigest(manifest.config.digest);
  await arrived(id);
  const diffIds = diffIdsOf(await readConfig(scope, lease.content, { id }));
  if (diffIds.length !== manifest.layers.length) {
    throw new TeuError({
      code: "invalid",
      op: "read image",
      subject: id,
      message: `the manifest has ${manifest.layers.length} layers, the config ${diffIds.length}`,
    });
  }
  let parent: Digest | null = null;
  for (const [index, descriptor] of manifest.layers.entries()) {
    await arrived(parseDigest(descriptor.digest));
    progress?.({ kind: "unpack", id: descriptor.digest, total: descriptor.size });
    const diffId = diffIds[index];
    const layer = await lease.snapshots.unpack(scope, {
      descriptor,
      parent,
      ...(diffId === undefined ? {} : { diffId }),
    });
    parent = layer.chainId;
    progress?.({ kind: "done", id: descriptor.digest });
  }
}
