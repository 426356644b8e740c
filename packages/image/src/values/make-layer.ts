// Layers that are not in an image yet: of a tar file, compressed or not, of a directory, of any tar stream. Nothing is read before
// somebody asks. What must be compressed is compressed once, into a scratch store; a file that is a layer already stays where it is.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { errnoOf, fileError } from "@teu/files/addon";

import type { CompressOptions } from "../compression/compress.ts";
import { decompress } from "../compression/decompress.ts";
import { type Compression, detectCompression, layerMediaType, MAGIC_BYTES } from "../compression/detect.ts";
import type { ContentStore } from "../content-store.ts";
import { createDigester, type Digest } from "../digest.ts";
import { layerChecker } from "../layer/check-layer-tar.ts";
import { diffOverlay } from "../layer/diff.ts";
import { placeOf } from "../layer/entry-place.ts";
import { DEFAULT_LAYER_LIMITS } from "../layer/limits.ts";
import { packLayer } from "../layer/pack.ts";
import type { TarEntry } from "../tar/entry.ts";
import { rewriteTar } from "../tar/rewrite.ts";
import { type CheckedDescriptor, checkedDescriptor, type LayerValue } from "./layer-value.ts";
import { once } from "./once.ts";

/** How a layer is made. */
export interface MakeLayerOptions extends Partial<CompressOptions> {
  /** Where what is compressed is kept; it must outlive the layer. */
  readonly scratch: ContentStore;
  /** Later times become this one: SOURCE_DATE_EPOCH, in nanoseconds. */
  readonly latestNs?: bigint;
  /** Told while the layer is packed how many bytes of its tar were, and at last that these were all. Must not throw. */
  readonly packed?: (bytes: number, isAll: boolean) => void;
}

/** How a file becomes a layer. */
export interface FileLayerOptions extends MakeLayerOptions {
  /** What errors call the file; default: its path. */
  readonly name?: string;
}

/** How a directory becomes a layer. */
export interface DirectoryLayerOptions extends MakeLayerOptions {
  /** Where in the image its content goes; default: the root. */
  readonly prefix?: string;
  /** Whose everything is; default: as in the directory. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const CHUNK = 1 << 20;
const READING = "read layer";
const WANTED = "want a tar archive, plain or compressed with gzip or zstd";
const OF_CONTENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["corrupt", "exhausted", "invalid", "unsupported"]);

/** A layer of a tar stream, which is opened once. Compressed with gzip unless told otherwise. */
export function tarLayer(
  open: (scope: Scope) => AsyncIterable<Uint8Array>,
  { scratch, compression = "gzip", level, latestNs, packed: told }: MakeLayerOptions,
): LayerValue {
  const packed = once((scope) => {
    const tar = latestNs === undefined ? open(scope) : clamped(scope, open(scope), latestNs);
    return packLayer(scope, {
      source: told === undefined ? checkedTar(scope, tar) : counted(checkedTar(scope, tar), told),
      store: scratch,
      compression,
      ...(level === undefined ? {} : { level }),
    });
  });
  return {
    descriptor: async (scope) => checkedDescriptor((await packed(scope)).descriptor),
    diffId: async (scope) => (await packed(scope)).diffId,
    async *blob(scope, offset) {
      const { digest } = checkedDescriptor((await packed(scope)).descriptor);
      yield* scratch.read(scope, digest, { offset, unverified: true });
    },
  };
}

/**
 * A layer of a file: a plain tar is compressed, a tar that is compressed stays as it is, unless `compression` asks for another one
 * or times are to change. @throws TeuError `corrupt` when it is no tar that can be a layer.
 */
export function fileLayer(path: string, { name = path, ...options }: FileLayerOptions): LayerValue {
  const { compression: wanted, latestNs } = options;
  const named = async <T>(work: Promise<T>): Promise<T> =>
    await work.catch((error: unknown) => {
      throw layerFileError(name, error);
    });
  const chosen = once(async (): Promise<LayerValue> => {
    const found = await compressionOf(path, name);
    const asItIs = latestNs === undefined && (wanted === undefined ? found !== "none" : wanted === found);
    if (asItIs) return readyLayer(path, found);
    return tarLayer((inner) => decompress(inner, readFile(path), DEFAULT_LAYER_LIMITS), options);
  });
  return {
    descriptor: async (scope) => await named((await chosen(scope)).descriptor(scope)),
    diffId: async (scope) => await named((await chosen(scope)).diffId(scope)),
    async *blob(scope, offset) {
      const layer = await chosen(scope);
      // Here for an error that names the file: what follows reads what this has checked.
      await named(layer.descriptor(scope));
      yield* layer.blob(scope, offset);
    },
  };
}

// The tar's reader and the decompressor do not know what they read. What has an errno names its file, and may be of another one.
function layerFileError(name: string, error: unknown): unknown {
  if (!isTeuError(error) || errnoOf(error) !== undefined || !OF_CONTENT.has(error.code)) return error;
  if (error.op === READING) return error;
  const { code, detail, hint = WANTED } = error;
  const message = code === "exhausted" ? "it is beyond a limit" : "it cannot be a layer";
  return new TeuError({ code, op: READING, subject: name, message, detail, hint, cause: error });
}

/** A layer of everything below a directory, in an order of its own: the same tree gives the same layer. */
export function directoryLayer(path: string, options: DirectoryLayerOptions): LayerValue {
  const { prefix = "", owner, latestNs, ...packing } = options;
  const inside = placeInImage(prefix);
  return tarLayer((scope) => {
    const clamp = latestNs === undefined ? {} : { latestNs };
    const tar = diffOverlay(scope, { upper: path, lower: [], ...clamp });
    if (inside === undefined && owner === undefined) return tar;
    return rewriteTar(scope, tar, (entry) => ({
      ...entry,
      ...owner,
      name: inside === undefined ? entry.name : `${inside}/${entry.name}`,
      linkName: inside !== undefined && entry.type === "hardlink" ? `${inside}/${entry.linkName}` : entry.linkName,
    }));
  }, packing);
}

/** A file that is a layer's blob. */
function readyLayer(path: string, compression: Compression): LayerValue {
  const known = once(async (scope): Promise<{ descriptor: CheckedDescriptor; diffId: Digest }> => {
    const blob = createDigester();
    const tar = createDigester();
    const checker = layerChecker();
    async function* hashed(): AsyncIterable<Uint8Array> {
      for await (const chunk of readFile(path)) {
        blob.update(chunk);
        yield chunk;
      }
    }
    for await (const chunk of decompress(scope, hashed(), DEFAULT_LAYER_LIMITS)) {
      tar.update(chunk);
      checker.write(chunk);
    }
    checker.end();
    const descriptor = { mediaType: layerMediaType(compression), digest: blob.digest(), size: blob.size };
    return { descriptor, diffId: tar.digest() };
  });
  return {
    descriptor: async (scope) => (await known(scope)).descriptor,
    diffId: async (scope) => (await known(scope)).diffId,
    blob: (_, offset) => readFile(path, offset),
  };
}

async function* checkedTar(scope: Scope, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const checker = layerChecker();
  for await (const chunk of source) {
    scope.check("make layer");
    checker.write(chunk);
    yield chunk;
  }
  checker.end();
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  told: (bytes: number, isAll: boolean) => void,
): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    yield chunk;
    told(bytes, false);
  }
  told(bytes, true);
}

function clamped(scope: Scope, tar: AsyncIterable<Uint8Array>, latestNs: bigint): AsyncIterable<Uint8Array> {
  const clamp = (entry: TarEntry): TarEntry => (entry.mtimeNs > latestNs ? { ...entry, mtimeNs: latestNs } : entry);
  return rewriteTar(scope, tar, clamp, DEFAULT_LAYER_LIMITS);
}

/** "/srv/app" as names in a tar have it; undefined for the root. @throws TeuError `corrupt` for a path that leaves the image. */
function placeInImage(prefix: string): string | undefined {
  const place = placeOf(prefix === "" ? "/" : prefix.replace(/\/+$/, "") || "/");
  if (place.kind === "root") return undefined;
  if (place.kind === "entry") return place.parent === "" ? place.name : `${place.parent}/${place.name}`;
  throw new TeuError({ code: "invalid", op: "make layer", subject: prefix, message: "it is no place in an image" });
}

async function compressionOf(path: string, name: string): Promise<Compression> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    // No tar is: it is what a download leaves that failed.
    if (bytesRead === 0)
      throw new TeuError({ code: "corrupt", op: READING, subject: name, message: "it is empty", hint: WANTED });
    return detectCompression(buffer.subarray(0, bytesRead));
  } catch (error) {
    throw fileError(READING, path, error);
  }
}

async function* readFile(path: string, offset = 0): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(path, { start: offset, highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fileError(READING, path, error);
  }
}
