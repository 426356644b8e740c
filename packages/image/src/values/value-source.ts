// Values and sources: what a source holds as a value, and a value as a source that copies read.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Descriptor, type ImageConfig, MEDIA_TYPES, parseImageConfig, type Platform } from "@teu/specs/image";

import { parseDigest } from "../digest.ts";
import { type Image, Index, openDocument, openImage } from "../transport/open-image.ts";
import type { BlobIdentity, ImageDocument, ImageSource } from "../transport/source-and-sink.ts";
import { type ImageParts, ImageValue } from "./image-value.ts";
import { IndexValue } from "./index-value.ts";
import { sourceLayer } from "./layer-value.ts";

/** Configs of images; others belong to artifacts. */
const CONFIG_TYPES: ReadonlySet<string> = new Set([MEDIA_TYPES.config, MEDIA_TYPES.dockerConfig]);

/** What the source's name stands for, as a value; with a platform, the image for it. The source must outlive the value. */
export async function openValue(scope: Scope, source: ImageSource): Promise<ImageValue | IndexValue>;
export async function openValue(scope: Scope, source: ImageSource, platform: Platform): Promise<ImageValue>;
export async function openValue(
  scope: Scope,
  source: ImageSource,
  platform?: Platform,
): Promise<ImageValue | IndexValue> {
  const opened = platform === undefined ? await openImage(scope, source) : await openImage(scope, source, platform);
  return valueOf(source, opened);
}

/** A value as a source. It makes what is to be made when it is asked for it. Disposing it does nothing. */
export function valueSource(value: ImageValue | IndexValue): ImageSource {
  return value instanceof IndexValue ? indexSource(value) : imageSource(value);
}

/** A value as a source that is in the same place as `base`, for sinks there. */
export function valueSourceFrom(value: ImageValue | IndexValue, base: ImageSource): ImageSource {
  const { repository } = base;
  return {
    ...valueSource(value),
    name: base.name,
    ...(repository === undefined ? {} : { repository }),
    ...(base.referrers === undefined
      ? {}
      : { referrers: async (scope, digest) => (await base.referrers?.(scope, digest)) ?? [] }),
  };
}

function valueOf(source: ImageSource, opened: Image | Index): ImageValue | IndexValue {
  if (opened instanceof Index) {
    const { index, document } = opened;
    const entries = index.manifests.map((descriptor) => ({ descriptor }));
    const { mediaType } = document.descriptor;
    const open = async (scope: Scope, descriptor: Descriptor): Promise<ImageValue | IndexValue> =>
      valueOf(source, await openDocument(scope, source, descriptor));
    const parts = { index, mediaType, entries, original: { source, document, index } };
    return new IndexValue(source.name, async () => parts, open);
  }
  return new ImageValue(source.name, async (scope) => partsOf(scope, source, opened));
}

async function partsOf(scope: Scope, source: ImageSource, image: Image): Promise<ImageParts> {
  const { manifest, document } = image;
  const configBytes = await image.configBytes(scope);
  const configType = manifest.config.mediaType;
  const config = CONFIG_TYPES.has(configType) ? parseImageConfig(configBytes) : null;
  if (config !== null) checkLayers(source, manifest.layers, config);
  return {
    manifest,
    mediaType: document.descriptor.mediaType,
    configType,
    config,
    layers: manifest.layers.map((descriptor, index) =>
      // Of an artifact nobody asks for it: it is no tar.
      sourceLayer(source, descriptor, config?.rootfs.diff_ids[index] ?? descriptor.digest),
    ),
    original: { source, document, manifest, config, configBytes },
  };
}

function checkLayers({ name }: ImageSource, layers: readonly Descriptor[], config: ImageConfig): void {
  const named = config.rootfs.diff_ids.length;
  if (named === layers.length) return;
  const message = `the manifest has ${layers.length} layers, the config ${named}`;
  throw new TeuError({ code: "invalid", op: "read image", subject: name, message });
}

function imageSource(value: ImageValue): ImageSource {
  return {
    name: value.name,
    resolve: async (scope) => (await value.document(scope)).descriptor,
    document: async (scope, descriptor) => documentOf(value.name, await value.document(scope), descriptor),
    async *blob(scope, blob, offset) {
      const found = await value.blob(scope, blob.digest, offset);
      if (found === null) throw noBlob(value.name, blob);
      yield* found;
    },
    ...distrusting(async (scope) => (await value.parts(scope)).original?.source),
    [Symbol.asyncDispose]: async () => {},
  };
}

function indexSource(value: IndexValue): ImageSource {
  const original = async (scope: Scope): Promise<ImageSource> => (await value.parts(scope)).original.source;
  return {
    name: value.name,
    resolve: async (scope) => (await value.document(scope)).descriptor,
    document: async (scope, descriptor) => {
      const own = await value.document(scope);
      if (own.descriptor.digest === descriptor.digest) return own.bytes;
      const found = await findDocument(scope, value, descriptor.digest);
      return found ?? (await original(scope)).document(scope, descriptor);
    },
    async *blob(scope, blob, offset) {
      yield* (await findBlob(scope, value, blob, offset)) ?? (await original(scope)).blob(scope, blob, offset);
    },
    ...distrusting(original),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Documents of entries that were changed. */
async function findDocument(scope: Scope, value: IndexValue, digest: string): Promise<Uint8Array | null> {
  for (const { value: child } of (await value.parts(scope)).entries) {
    if (child === undefined) continue;
    const { descriptor, bytes } = await child.document(scope);
    if (descriptor.digest === digest) return bytes;
    const inner = child instanceof IndexValue ? await findDocument(scope, child, digest) : null;
    if (inner !== null) return inner;
  }
  return null;
}

async function findBlob(
  scope: Scope,
  value: IndexValue,
  blob: BlobIdentity,
  offset: number,
): Promise<AsyncIterable<Uint8Array> | null> {
  for (const { value: child } of (await value.parts(scope)).entries) {
    if (child === undefined) continue;
    const found =
      child instanceof IndexValue
        ? await findBlob(scope, child, blob, offset)
        : await child.blob(scope, blob.digest, offset);
    if (found !== null) return found;
  }
  return null;
}

function distrusting(source: (scope: Scope) => Promise<ImageSource | undefined>): Pick<ImageSource, "distrust"> {
  return { distrust: async (scope, blob) => (await (await source(scope))?.distrust?.(scope, blob)) ?? false };
}

function documentOf(name: string, document: ImageDocument, descriptor: Descriptor): Uint8Array {
  if (document.descriptor.digest === parseDigest(descriptor.digest)) return document.bytes;
  throw noBlob(name, { digest: parseDigest(descriptor.digest), size: descriptor.size });
}

function noBlob(name: string, { digest }: BlobIdentity): TeuError {
  return new TeuError({ code: "not-found", op: "read image", subject: name, message: `it has no content ${digest}` });
}
