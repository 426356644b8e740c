// An image as an immutable value: config, layers and what its manifest says else. A transform makes another value of it; nothing
// is read, compressed or written before somebody asks for bytes. What no transform changed keeps its bytes and so its digest.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Descriptor, type ImageConfig, type ImageManifest, MEDIA_TYPES, type Platform } from "@teu/specs/image";

import { digestOf } from "../digest.ts";
import { checkHistory, emptyImageConfig } from "../image-config.ts";
import type { ImageDocument, ImageSource } from "../transport/source-and-sink.ts";
import type { CheckedDescriptor, LayerValue } from "./layer-value.ts";
import { once } from "./once.ts";

/** What an image is made of. Transforms change this. */
export interface ImageParts {
  /** The manifest; its `config` and `layers` are replaced by what is below. */
  readonly manifest: ImageManifest;
  readonly mediaType: string;
  readonly configType: string;
  /** Null: an artifact, whose config is its own business. */
  readonly config: ImageConfig | null;
  /** Lowest first. */
  readonly layers: readonly LayerValue[];
  /** What was read, so that what did not change keeps its bytes. */
  readonly original: OriginalImage | null;
}

/** An image as it was read. */
export interface OriginalImage {
  readonly source: ImageSource;
  readonly document: ImageDocument;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig | null;
  readonly configBytes: Uint8Array;
}

/** Makes an image of another one, without touching anything. */
export type ImageTransform = (image: ImageValue) => ImageValue;

interface Built {
  readonly document: ImageDocument;
  readonly manifest: ImageManifest;
  readonly configBytes: Uint8Array;
  readonly layers: ReadonlyMap<string, LayerValue>;
}

/** See the head of this file. */
export class ImageValue {
  /** What it is called in messages. */
  readonly name: string;
  /** What it is made of. */
  readonly parts: (scope: Scope) => Promise<ImageParts>;
  readonly #built: (scope: Scope) => Promise<Built>;

  constructor(name: string, parts: (scope: Scope) => Promise<ImageParts>) {
    this.name = name;
    this.parts = once(parts);
    this.#built = once(async (scope) => build(scope, await this.parts(scope)));
  }

  /** The config. @throws TeuError `unsupported` for artifacts. */
  async config(scope: Scope): Promise<ImageConfig> {
    return configOf(this.name, await this.parts(scope));
  }

  /** Lowest first. */
  async layers(scope: Scope): Promise<readonly LayerValue[]> {
    return (await this.parts(scope)).layers;
  }

  /** The manifest with its digests: layers that are to be made are made now. */
  async manifest(scope: Scope): Promise<ImageManifest> {
    return (await this.#built(scope)).manifest;
  }

  /** The manifest's bytes and its descriptor. */
  async document(scope: Scope): Promise<ImageDocument> {
    return (await this.#built(scope)).document;
  }

  /** The config's bytes. */
  async configBytes(scope: Scope): Promise<Uint8Array> {
    return (await this.#built(scope)).configBytes;
  }

  /** The image that `change` makes of what this one is made of. */
  with(change: (parts: ImageParts, scope: Scope) => ImageParts | Promise<ImageParts>): ImageValue {
    return new ImageValue(this.name, async (scope) => change(await this.parts(scope), scope));
  }

  /** Transforms, one after the other. */
  apply(...transforms: readonly ImageTransform[]): ImageValue {
    return transforms.reduce<ImageValue>((image, transform) => transform(image), this);
  }

  /** A blob of the image; null when it has none with this digest. */
  async blob(scope: Scope, digest: string, offset: number): Promise<AsyncIterable<Uint8Array> | null> {
    const { manifest, configBytes, layers } = await this.#built(scope);
    if (manifest.config.digest === digest) return one(configBytes.subarray(offset));
    return layers.get(digest)?.blob(scope, offset) ?? null;
  }
}

/** An image without layers. */
export function emptyImage(platform: Platform, created?: string): ImageValue {
  const config = emptyImageConfig(platform, created);
  const placeholder = { mediaType: MEDIA_TYPES.config, digest: digestOf(""), size: 0 };
  const manifest = {
    schemaVersion: 2 as const,
    mediaType: MEDIA_TYPES.manifest,
    config: placeholder,
    layers: [],
  };
  return new ImageValue("scratch", async () => ({
    manifest,
    mediaType: MEDIA_TYPES.manifest,
    configType: MEDIA_TYPES.config,
    config,
    layers: [],
    original: null,
  }));
}

/** The config that a transform is to change. @throws TeuError `unsupported` for artifacts, `invalid` when layers and history differ. */
export function configOf(name: string, { config }: ImageParts): ImageConfig {
  if (config === null)
    throw new TeuError({
      code: "unsupported",
      op: "change image",
      subject: name,
      message: "it is an artifact: it has no image config",
    });
  return config;
}

/** As `configOf`, where layers are added or taken away: their history must be the layers'. */
export function configWithHistory(name: string, parts: ImageParts): ImageConfig {
  const config = configOf(name, parts);
  checkHistory(config);
  return config;
}

async function build(scope: Scope, parts: ImageParts): Promise<Built> {
  const { original } = parts;
  const config = builtConfig(parts);
  const descriptors: CheckedDescriptor[] = [];
  const layers = new Map<string, LayerValue>();
  for (const layer of parts.layers) {
    const descriptor = await layer.descriptor(scope);
    descriptors.push(descriptor);
    layers.set(descriptor.digest, layer);
  }
  const manifest: ImageManifest = { ...parts.manifest, config: config.descriptor, layers: descriptors };
  const same =
    original !== null &&
    parts.mediaType === original.document.descriptor.mediaType &&
    sameJson(manifest, original.manifest);
  const bytes = same ? original.document.bytes : Buffer.from(JSON.stringify(manifest));
  const descriptor = { mediaType: parts.mediaType, digest: digestOf(bytes), size: bytes.length };
  const document = same ? original.document : { descriptor, bytes };
  return { document, manifest, configBytes: config.bytes, layers };
}

function builtConfig({ original, config, configType, manifest }: ImageParts): {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
} {
  if (original !== null && (config === null || sameJson(config, original.config))) {
    return { descriptor: { ...manifest.config, mediaType: configType }, bytes: original.configBytes };
  }
  const bytes = Buffer.from(JSON.stringify(config));
  // Content that a descriptor carries along, and where else it is, is that of the old config.
  const { data: _data, urls: _urls, ...kept } = manifest.config;
  return { descriptor: { ...kept, mediaType: configType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** Whether two documents say the same in the same order. */
export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
