// Images with random content, made in a content store: small, valid, and never the same twice unless a seed says so.

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import { type Digest, digestOf } from "@teu/image/digest";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { type Descriptor, MEDIA_TYPES, type Platform } from "@teu/specs/image";

/** What a random image is like. */
export interface RandomImageOptions {
  readonly layers?: number;
  /** Bytes of the one file in each layer. */
  readonly layerSize?: number;
  /** The same seed gives the same image. */
  readonly seed?: string;
  readonly platform?: Platform;
  /** Docker's media types instead of OCI's. */
  readonly docker?: boolean;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image in a store. */
export interface RandomImage {
  readonly descriptor: Descriptor & { readonly digest: Digest };
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

let counter = 0;

/** Makes an image of random layers. */
export async function randomImage(
  scope: Scope,
  store: ContentStore,
  options: RandomImageOptions = {},
): Promise<RandomImage> {
  const seed = options.seed ?? `${process.pid}-${Date.now()}-${counter++}`;
  const { docker = false, platform = { os: "linux", architecture: "amd64" } } = options;
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (let i = 0; i < (options.layers ?? 2); i++) {
    const tar = oneFileTar(`file-${i}`, randomBytes(`${seed}/${i}`, options.layerSize ?? 2000));
    diffIds.push(digestOf(tar));
    const mediaType = docker ? MEDIA_TYPES.dockerLayerGzip : MEDIA_TYPES.layerGzip;
    layers.push(await put(scope, store, gzipSync(tar, { level: 1 }), mediaType));
  }
  const config = await putJson(
    scope,
    store,
    {
      ...platform,
      rootfs: { type: "layers", diff_ids: diffIds },
      config: { Cmd: ["/file-0"], Labels: { seed } },
    },
    docker ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.config,
  );
  const mediaType = docker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.manifest;
  const descriptor = await putJson(
    scope,
    store,
    {
      schemaVersion: 2,
      mediaType,
      config,
      layers,
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    mediaType,
  );
  return { descriptor: { ...descriptor, platform }, config, layers };
}

/** Makes an index of random images, one per platform. */
export async function randomIndex(
  scope: Scope,
  store: ContentStore,
  platforms: readonly Platform[],
  options: RandomImageOptions = {},
): Promise<{ readonly descriptor: Descriptor & { readonly digest: Digest }; readonly images: readonly RandomImage[] }> {
  const images: RandomImage[] = [];
  for (const [i, platform] of platforms.entries()) {
    const seed = options.seed === undefined ? {} : { seed: `${options.seed}/${i}` };
    images.push(await randomImage(scope, store, { ...options, ...seed, platform }));
  }
  const mediaType = options.docker === true ? MEDIA_TYPES.dockerManifestList : MEDIA_TYPES.index;
  const body = { schemaVersion: 2, mediaType, manifests: images.map((image) => image.descriptor) };
  return { descriptor: await putJson(scope, store, body, mediaType), images };
}

/** Bytes that look random and depend on the seed only. */
export function randomBytes(seed: string, length: number): Uint8Array {
  const out = Buffer.alloc(length);
  for (let at = 0, block = 0; at < length; at += 64, block++) {
    createHash("sha512").update(`${seed}:${block}`).digest().copy(out, at);
  }
  return out;
}

/** Stores bytes; their descriptor. */
export async function put(
  scope: Scope,
  store: ContentStore,
  bytes: Uint8Array,
  mediaType: string,
): Promise<Descriptor & { readonly digest: Digest }> {
  const digest = digestOf(bytes);
  await using ingest = await store.ingest(scope, digest);
  await ingest.write(bytes);
  await ingest.commit({ digest, size: bytes.length });
  return { mediaType, digest, size: bytes.length };
}

/** Stores a value as JSON; its descriptor. */
export function putJson(
  scope: Scope,
  store: ContentStore,
  value: unknown,
  mediaType: string,
): Promise<Descriptor & { readonly digest: Digest }> {
  return put(scope, store, Buffer.from(JSON.stringify(value)), mediaType);
}

function oneFileTar(name: string, content: Uint8Array): Uint8Array {
  const entry = tarEntry({ name, type: "file", size: content.length, mode: 0o644 });
  return Buffer.concat([encodeTarHeader(entry), content, tarPadding(content.length), TAR_END]);
}
