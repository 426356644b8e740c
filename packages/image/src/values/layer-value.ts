// A layer as a value, wherever its bytes are: in a source, in a file, or still to be made. Who makes one gives three methods;
// its tar is derived.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import { decompress, type DecompressOptions } from "../compression/decompress.ts";
import { createDigester, type Digest, digestAlgorithm, parseDigest } from "../digest.ts";
import { DEFAULT_LAYER_LIMITS } from "../layer/limits.ts";
import type { ImageSource } from "../transport/source-and-sink.ts";
import { verifyStream } from "../verified-stream.ts";

/** A descriptor whose digest was checked. */
export type CheckedDescriptor = Descriptor & { readonly digest: Digest };

/** A layer. Nothing is read, fetched or compressed before a method is called. */
export interface LayerValue {
  /** What a manifest says of it. */
  descriptor(scope: Scope): Promise<CheckedDescriptor>;
  /** Digest of its tar. */
  diffId(scope: Scope): Promise<Digest>;
  /** The blob's bytes from `offset` on. Not verified. */
  blob(scope: Scope, offset: number): AsyncIterable<Uint8Array>;
}

/** A layer of an image that is in a source. @throws TeuError `invalid` for digests that are none. */
export function sourceLayer(source: ImageSource, descriptor: Descriptor, diffId: string): LayerValue {
  const checked = checkedDescriptor(descriptor);
  const tar = parseDigest(diffId);
  return {
    descriptor: async () => checked,
    diffId: async () => tar,
    blob: (scope, offset) => source.blob(scope, { digest: checked.digest, size: checked.size }, offset),
  };
}

/** The same layer, with something else in its descriptor; digest and size stay what they are. */
export function withDescriptor(layer: LayerValue, change: (descriptor: CheckedDescriptor) => Descriptor): LayerValue {
  return {
    ...layer,
    descriptor: async (scope) => {
      const before = await layer.descriptor(scope);
      return { ...change(before), digest: before.digest, size: before.size };
    },
  };
}

/**
 * The layer's tar, verified: blob and tar have the digests that they should when it ended. Nothing may be trusted before.
 * @throws TeuError `corrupt`, `exhausted` beyond the limits on layers.
 */
export async function* layerTar(
  scope: Scope,
  layer: LayerValue,
  options: DecompressOptions = {},
): AsyncIterable<Uint8Array> {
  const { digest, size } = await layer.descriptor(scope);
  const wanted = await layer.diffId(scope);
  const tar = createDigester(digestAlgorithm(wanted));
  const blob = verifyStream(layer.blob(scope, 0), { digest, size });
  for await (const chunk of decompress(scope, blob, DEFAULT_LAYER_LIMITS, options)) {
    tar.update(chunk);
    yield chunk;
  }
  const found = tar.digest();
  if (found === wanted) return;
  throw new TeuError({
    code: "corrupt",
    op: "read layer",
    subject: digest,
    message: `its content has DiffID ${found}, the image says ${wanted}`,
  });
}

/** @throws TeuError `invalid` for a digest that is none. */
export function checkedDescriptor(descriptor: Descriptor): CheckedDescriptor {
  return { ...descriptor, digest: parseDigest(descriptor.digest) };
}
