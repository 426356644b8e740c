// image-spec v1.1 documents: types, media types, and the parse functions that turn hostile bytes into them.
// Every parse function enforces a size limit, I-JSON and the schema; unknown fields are kept as they came.
// What a digest is the digest of, and which platform to choose, is the business of the image package.
// portable: no host types here.

import { decodeUtf8 } from "@teu/base/utf8";
import { TeuError } from "@teu/base/errors";
import * as gen from "./gen/image.ts";
import { parseJson } from "./json.ts";
import { validated } from "./validation.ts";

/** Media types of image-spec and of Docker's schema 2, which mean the same things. */
export const MEDIA_TYPES = {
  descriptor: "application/vnd.oci.descriptor.v1+json",
  layoutHeader: "application/vnd.oci.layout.header.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  /** Deprecated by the spec; read, never written. */
  layerNondistributable: "application/vnd.oci.image.layer.nondistributable.v1.tar",
  /** Deprecated by the spec; read, never written. */
  layerNondistributableGzip: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  /** Deprecated by the spec; read, never written. */
  layerNondistributableZstd: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  empty: "application/vnd.oci.empty.v1+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  /** A plain tar, as `docker save` and some builders name it. */
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  dockerForeignLayer: "application/vnd.docker.image.rootfs.foreign.diff.tar",
  dockerForeignLayerGzip: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
} as const;

/** What to call the document with the content `{}`; image-spec, "Guidance for an empty descriptor". */
export const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: MEDIA_TYPES.empty,
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
  data: "e30=",
};

/** Largest document of each kind, in bytes. Registries must take manifests of 4 MiB; configs are blobs and can be larger. */
export const DOCUMENT_LIMITS: Readonly<Record<"manifest" | "index" | "config" | "layout", number>> = {
  manifest: 4 << 20,
  index: 4 << 20,
  config: 8 << 20,
  layout: 4096,
};

/** Where some content is and what it must be. `digest` fits the grammar; its algorithm may be unknown to us. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself in base64; to be checked against digest and size like any other source. */
  readonly data?: string;
  readonly artifactType?: string;
  readonly platform?: Platform;
}

/** What an image needs to run. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly variant?: string;
}

/** One image (or artifact). Layer 0 is the base. */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several manifests, usually one per platform. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image's configuration blob. Its digest is the image id. */
export interface ImageConfig extends Platform {
  readonly created?: string;
  readonly author?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: RootFs;
  readonly history?: readonly HistoryEntry[];
}

/** How to run the image, unless told otherwise. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, unknown>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  /** Deprecated by the spec. */
  readonly ArgsEscaped?: boolean;
  /** Docker's; reserved by the spec. */
  readonly Shell?: readonly string[];
  /** Docker's; reserved by the spec. */
  readonly Healthcheck?: Healthcheck;
  /** Docker's. */
  readonly OnBuild?: readonly string[];
}

/** Docker's health check; times in nanoseconds. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** Digests of the uncompressed layers, base first. */
export interface RootFs {
  readonly type: "layers";
  readonly diff_ids: readonly string[];
}

/** How a layer came to be; entries with `empty_layer` have none. */
export interface HistoryEntry {
  readonly created?: string;
  readonly author?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** The file `oci-layout`. */
export interface ImageLayout {
  readonly imageLayoutVersion: string;
}

/**
 * Reads an image manifest, OCI or Docker schema 2.
 * @throws TeuError `invalid` when it is too large, not I-JSON, not a manifest, or could be taken for an index too.
 */
export function parseManifest(bytes: Uint8Array): ImageManifest {
  const value = documentObject(bytes, "image manifest", DOCUMENT_LIMITS.manifest);
  refuseKeys(value, "image manifest", ["manifests", "fsLayers"], "and so is not only an image manifest");
  refuseCaseVariants(value, "image manifest", MANIFEST_KEYS);
  dropNulls(value, MANIFEST_KEYS);
  for (const entry of [value["config"], value["subject"], ...listOf(value["layers"])])
    cleanDescriptor(entry, "image manifest");
  return validated<ImageManifest>(value, "image manifest", gen.manifest);
}

/**
 * Reads an image index or Docker manifest list.
 * @throws TeuError `invalid` when it is too large, not I-JSON, not an index, or could be taken for a manifest too.
 */
export function parseIndex(bytes: Uint8Array): ImageIndex {
  const value = documentObject(bytes, "image index", DOCUMENT_LIMITS.index);
  refuseKeys(value, "image index", ["layers", "config", "fsLayers"], "and so is not only an image index");
  refuseCaseVariants(value, "image index", INDEX_KEYS);
  dropNulls(value, INDEX_KEYS);
  for (const entry of [value["subject"], ...listOf(value["manifests"])]) cleanDescriptor(entry, "image index");
  return validated<ImageIndex>(value, "image index", gen.index);
}

/**
 * Reads an image config, OCI or Docker; optional fields that are null count as missing.
 * @throws TeuError `invalid` when it is too large, not I-JSON, or breaks the schema.
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const value = documentObject(bytes, "image config", DOCUMENT_LIMITS.config);
  refuseCaseVariants(value, "image config", CONFIG_KEYS);
  dropNulls(value, CONFIG_KEYS);
  dropNulls(value["config"], CONTAINER_KEYS);
  for (const entry of listOf(value["history"])) dropNulls(entry, HISTORY_KEYS);
  return validated<ImageConfig>(value, "image config", gen.config);
}

/**
 * Checks a descriptor that is already JSON (from a header, an API body, a database).
 * @throws TeuError `invalid`.
 */
export function parseDescriptor(value: unknown): Descriptor {
  const copy = isObject(value) ? { ...value } : value;
  cleanDescriptor(copy, "descriptor");
  return validated<Descriptor>(copy, "descriptor", gen.descriptor);
}

/**
 * Reads the file `oci-layout`; versions other than 1.0.0 are refused.
 * @throws TeuError `invalid`.
 */
export function parseImageLayout(bytes: Uint8Array): ImageLayout {
  return validated<ImageLayout>(documentObject(bytes, "oci-layout", DOCUMENT_LIMITS.layout), "oci-layout", gen.layout);
}

const DESCRIPTOR_KEYS: readonly (keyof Descriptor)[] = [
  "mediaType",
  "digest",
  "size",
  "urls",
  "annotations",
  "data",
  "artifactType",
  "platform",
];
const PLATFORM_KEYS: readonly (keyof Platform)[] = ["architecture", "os", "os.version", "os.features", "variant"];
const MANIFEST_KEYS: readonly (keyof ImageManifest)[] = [
  "schemaVersion",
  "mediaType",
  "artifactType",
  "config",
  "layers",
  "subject",
  "annotations",
];
const INDEX_KEYS: readonly (keyof ImageIndex)[] = [
  "schemaVersion",
  "mediaType",
  "artifactType",
  "manifests",
  "subject",
  "annotations",
];
const CONFIG_KEYS: readonly (keyof ImageConfig)[] = [
  ...PLATFORM_KEYS,
  "created",
  "author",
  "config",
  "rootfs",
  "history",
];
const CONTAINER_KEYS: readonly (keyof ContainerConfig)[] = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "ArgsEscaped",
  "Shell",
  "Healthcheck",
  "OnBuild",
];
const HISTORY_KEYS: readonly (keyof HistoryEntry)[] = ["created", "author", "created_by", "comment", "empty_layer"];

function documentObject(bytes: Uint8Array, document: string, limit: number): Record<string, unknown> {
  if (bytes.length > limit) {
    throw new TeuError({
      code: "invalid",
      op: `read ${document}`,
      message: `${bytes.length} bytes are more than the limit of ${limit}`,
    });
  }
  const value = parseJson(decodeUtf8(bytes, `read ${document}`), { document, maxLength: limit });
  if (!isObject(value))
    throw new TeuError({ code: "invalid", op: `read ${document}`, message: "it must be an object" });
  return value;
}

function cleanDescriptor(value: unknown, document: string): void {
  if (!isObject(value)) return;
  refuseCaseVariants(value, document, DESCRIPTOR_KEYS);
  dropNulls(value, DESCRIPTOR_KEYS);
  dropNulls(value["platform"], PLATFORM_KEYS);
}

// Go programs write nil slices and maps as null and read null as missing; so do we, but for known fields only.
function dropNulls(value: unknown, keys: readonly string[]): void {
  if (!isObject(value)) return;
  for (const key of keys) if (value[key] === null) delete value[key];
}

// CVE-2021-41190: one document, two readings. Its digest would vouch for both.
function refuseKeys(value: Record<string, unknown>, document: string, keys: readonly string[], why: string): void {
  const found = keys.find((key) => Object.hasOwn(value, key));
  if (found === undefined) return;
  throw new TeuError({ code: "invalid", op: `read ${document}`, message: `it has ${JSON.stringify(found)} ${why}` });
}

// Go's decoder ignores case: "Layers" is nothing to us and layers to others, so such a document has two readings as well.
function refuseCaseVariants(value: Record<string, unknown>, document: string, keys: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const twin = keys.find((known) => known.toLowerCase() === key.toLowerCase());
    if (twin === undefined) continue;
    const message = `it has ${JSON.stringify(key)}, which some readers take for ${JSON.stringify(twin)}`;
    throw new TeuError({ code: "invalid", op: `read ${document}`, message });
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
