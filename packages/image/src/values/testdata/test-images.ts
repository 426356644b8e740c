// Images for tests of values, transforms and trees: made of tars that are written out entry by entry.

import type { Scope } from "@teu/base/scope";
import { type Descriptor, type ImageConfig, MEDIA_TYPES } from "@teu/specs/image";

import type { ContentStore } from "../../content-store.ts";
import { writeDocument } from "../../documents.ts";
import { packLayer } from "../../layer/pack.ts";
import type { TarEntry } from "../../tar/entry.ts";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "../../tar/writer.ts";
import { copyImage } from "../../transport/copy-image.ts";
import type { ImageSink } from "../../transport/source-and-sink.ts";
import { putStoreBlob, putStoreDocument, storeSource } from "../../transport/store-image.ts";
import type { ImageValue } from "../image-value.ts";
import type { IndexValue } from "../index-value.ts";
import { openValue, valueSource } from "../value-source.ts";

/** An entry of a tar: a file has content. */
export type TestEntry = Pick<TarEntry, "name" | "type"> & Partial<TarEntry> & { readonly content?: string };

/** The tar of some entries. */
export function tarOf(entries: readonly TestEntry[]): Uint8Array {
  const parts = entries.flatMap(({ content = "", ...entry }) => {
    const bytes = Buffer.from(content);
    return [encodeTarHeader(tarEntry({ size: bytes.length, ...entry })), bytes, tarPadding(bytes.length)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

/** A file, in short. */
export function file(name: string, content: string, more: Partial<TarEntry> = {}): TestEntry {
  return { name, type: "file", content, ...more };
}

/** A stream of one chunk. */
export async function* streamOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** What a test image is like. */
export interface TestImage {
  readonly layers: readonly (readonly TestEntry[])[];
  readonly config?: Partial<ImageConfig> & Readonly<Record<string, unknown>>;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly docker?: boolean;
  readonly history?: boolean;
}

/** Stores an image; its descriptor. */
export async function storeImage(scope: Scope, store: ContentStore, image: TestImage): Promise<Descriptor> {
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  const { docker = false } = image;
  for (const entries of image.layers) {
    const packed = await packLayer(scope, { source: streamOf(tarOf(entries)), store, compression: "gzip" });
    layers.push(docker ? { ...packed.descriptor, mediaType: MEDIA_TYPES.dockerLayerGzip } : packed.descriptor);
    diffIds.push(packed.diffId);
  }
  const history = image.layers.map((_, index) => ({ created_by: `layer ${index}` }));
  const config = await writeDocument(scope, store, docker ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.config, {
    created: "2024-01-02T03:04:05Z",
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin", "A=1"], Cmd: ["sh"], Labels: { a: "1" }, Healthcheck: { Test: ["NONE"] } },
    rootfs: { type: "layers", diff_ids: diffIds },
    ...(image.history === false ? {} : { history: [...history, { created_by: "CMD sh", empty_layer: true }] }),
    "x.vendor": { kept: [1, null, "two"] },
    ...image.config,
  });
  const mediaType = docker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.manifest;
  const manifest = { schemaVersion: 2, mediaType, config, layers, "x-vendor": { kept: null }, ...image.manifest };
  return await writeDocument(scope, store, mediaType, manifest);
}

/** What is stored, as a value. */
export async function storedValue(
  scope: Scope,
  store: ContentStore,
  root: Descriptor,
): Promise<ImageValue | IndexValue> {
  return openValue(scope, storeSource({ name: "memory", store, resolve: async () => root }));
}

/** A place in a store. */
export function storeSink(store: ContentStore): ImageSink {
  return {
    name: "memory",
    verifies: true,
    putBlob: (scope, blob, open, progress) => putStoreBlob(scope, store, blob, open, progress),
    putDocument: (scope, document) => putStoreDocument(scope, store, document),
    finish: (scope, root) => putStoreDocument(scope, store, root),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Writes a value out, every byte verified, and reads it back. */
export async function writtenOut<T extends ImageValue | IndexValue>(
  scope: Scope,
  store: ContentStore,
  value: T,
): Promise<T> {
  const { descriptor } = await copyImage(scope, {
    source: valueSource(value),
    sink: storeSink(store),
    platform: "all",
  });
  return (await storedValue(scope, store, descriptor)) as T;
}
