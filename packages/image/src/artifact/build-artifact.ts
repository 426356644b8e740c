// An artifact made of local files, as a source of copies: its manifest is in memory, its blobs are read from the files while they are sent.
// What oras writes: titles, packed directories, the empty config.

import { createReadStream, createWriteStream } from "node:fs";
import { lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { TemporaryDirectory } from "@teu/files/temporary-directory";
import { type Descriptor, DOCUMENT_LIMITS, EMPTY_DESCRIPTOR, type ImageManifest, MEDIA_TYPES } from "@teu/specs/image";

import { compress } from "../compression/compress.ts";
import { blobNotFound } from "../internal/blob-rules.ts";
import { createPoolDigester, type Digest, digestOf, parseDigest } from "../digest.ts";
import type { ImageSource } from "../transport/source-and-sink.ts";
import { CONTENT_DIGEST, nameParts, TITLE, UNPACK } from "./file-names.ts";
import { tarOfDirectory } from "./pack-directory.ts";

/** A file or directory to become a layer. */
export interface ArtifactFile {
  /** Where it is. */
  readonly path: string;
  /** What it is called in the artifact: a place below a directory. */
  readonly name: string;
  /** Default: what oras says, a layer's tar for files, tar+gzip for directories. */
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What to make. */
export interface ArtifactOptions {
  readonly files: readonly ArtifactFile[];
  /** Default "application/vnd.unknown.artifact.v1", unless there is a config. */
  readonly artifactType?: string;
  readonly config?: {
    readonly path: string;
    readonly mediaType?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly annotations?: Readonly<Record<string, string>>;
  /** What the artifact is about. */
  readonly subject?: Descriptor;
  /** A directory with room for packed directories. */
  readonly temporary: string;
}

/** An artifact that can be copied anywhere. */
export interface LocalArtifact extends ImageSource {
  readonly manifest: ImageManifest;
  readonly descriptor: Descriptor & { readonly digest: Digest };
}

const OP = "make artifact";
const CHUNK = 1 << 20;
const UNKNOWN_ARTIFACT = "application/vnd.unknown.artifact.v1";
const UNKNOWN_CONFIG = "application/vnd.unknown.config.v1+json";
const CREATED = "org.opencontainers.image.created";
/** RFC 6838, 4.2. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

/**
 * Reads and hashes every file. Dispose it: packed directories lie in a temporary directory until then.
 * @throws TeuError `invalid` for names and media types, `not-found`, `unsupported`.
 */
export async function openArtifact(scope: Scope, options: ArtifactOptions): Promise<LocalArtifact> {
  const builder = new Builder(scope, options.temporary);
  try {
    return await builder.build(options);
  } catch (error) {
    await builder.dispose();
    throw error;
  }
}

class Builder {
  readonly #scope: Scope;
  readonly #temporary: string;
  readonly #blobs = new Map<string, string>();
  #workplace: TemporaryDirectory | undefined;

  constructor(scope: Scope, temporary: string) {
    this.#scope = scope;
    this.#temporary = temporary;
  }

  async build(options: ArtifactOptions): Promise<LocalArtifact> {
    const manifest = await this.#manifest(options);
    const bytes = Buffer.from(JSON.stringify(manifest));
    if (bytes.length > DOCUMENT_LIMITS.manifest) {
      const message = `a manifest of ${bytes.length} bytes, limit is ${DOCUMENT_LIMITS.manifest}`;
      throw new TeuError({ code: "exhausted", op: OP, message, hint: "put many files into a directory" });
    }
    const descriptor = { mediaType: MEDIA_TYPES.manifest, digest: digestOf(bytes), size: bytes.length };
    const blobs = this.#blobs;
    return {
      name: "files",
      manifest,
      descriptor,
      resolve: async () => descriptor,
      document: async () => bytes,
      async *blob(_, { digest }, offset) {
        const path = blobs.get(digest);
        if (path === undefined) throw blobNotFound(digest);
        try {
          yield* createReadStream(path, { start: offset, highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
        } catch (error) {
          throw fileError("read file", path, error);
        }
      },
      [Symbol.asyncDispose]: () => this.dispose(),
    };
  }

  async dispose(): Promise<void> {
    await this.#workplace?.[Symbol.asyncDispose]();
  }

  async #manifest(options: ArtifactOptions): Promise<ImageManifest> {
    const { config, subject } = options;
    const artifactType = options.artifactType ?? (config === undefined ? UNKNOWN_ARTIFACT : undefined);
    if (artifactType !== undefined) checkMediaType(artifactType);
    const names = new Set<string>();
    const layers: Descriptor[] = [];
    for (const file of options.files) {
      const name = nameParts(OP, file.name).join("/");
      if (name === "") throw invalid(file.name, "it needs a name of its own");
      if (names.has(name)) throw invalid(name, "two files have this name");
      names.add(name);
      layers.push(await this.#layer(file, name));
    }
    return {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      ...(artifactType === undefined ? {} : { artifactType }),
      config: config === undefined ? EMPTY_DESCRIPTOR : await this.#config(config),
      // image-spec: a manifest without content has the empty descriptor as its only layer.
      layers: layers.length === 0 ? [EMPTY_DESCRIPTOR] : layers,
      ...(subject === undefined ? {} : { subject }),
      annotations: { [CREATED]: timeText(this.#scope.now()), ...options.annotations },
    };
  }

  async #config(config: NonNullable<ArtifactOptions["config"]>): Promise<Descriptor> {
    const descriptor = await this.#file(config.path, config.mediaType ?? UNKNOWN_CONFIG);
    return config.annotations === undefined ? descriptor : { ...descriptor, annotations: config.annotations };
  }

  async #layer({ path, mediaType, annotations }: ArtifactFile, name: string): Promise<Descriptor> {
    const titled = { ...annotations, [TITLE]: name };
    const found = await lstat(path).catch((error: unknown) => {
      throw fileError("read file", path, error);
    });
    if (!found.isDirectory())
      return { ...(await this.#file(path, mediaType ?? MEDIA_TYPES.layer)), annotations: titled };
    const { packed, digest } = await this.#pack(path, name);
    const descriptor = await this.#file(packed, mediaType ?? MEDIA_TYPES.layerGzip);
    return { ...descriptor, annotations: { ...titled, [CONTENT_DIGEST]: digest, [UNPACK]: "true" } };
  }

  async #file(path: string, mediaType: string): Promise<Descriptor> {
    checkMediaType(mediaType);
    const digester = createPoolDigester();
    try {
      await using handle = await open(path);
      if (!(await handle.stat()).isFile())
        throw new TeuError({ code: "unsupported", op: OP, subject: path, message: "it is no regular file" });
      const stream = handle.createReadStream({ highWaterMark: CHUNK, autoClose: false });
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        this.#scope.check(OP);
        await digester.update(chunk);
      }
    } catch (error) {
      throw fileError("read file", path, error);
    }
    const digest = digester.digest();
    this.#blobs.set(digest, path);
    return { mediaType, digest: parseDigest(digest), size: digester.size };
  }

  async #pack(path: string, name: string): Promise<{ readonly packed: string; readonly digest: Digest }> {
    const tar = createPoolDigester();
    const source = tarOfDirectory(this.#scope, path, name.split("/"));
    async function* hashed(): AsyncIterable<Uint8Array> {
      for await (const chunk of source) {
        await tar.update(chunk);
        yield chunk;
      }
    }
    try {
      this.#workplace ??= await TemporaryDirectory.make(this.#scope, this.#temporary, "teu-packed-");
      const packed = join(this.#workplace.path, String(this.#blobs.size));
      await pipeline(
        compress(this.#scope, hashed(), { compression: "gzip" }),
        createWriteStream(packed, { flags: "wx" }),
      );
      return { packed, digest: tar.digest() };
    } catch (error) {
      throw fileError("pack directory", path, error);
    }
  }
}

function checkMediaType(text: string): void {
  if (!MEDIA_TYPE.test(text)) throw invalid(text.slice(0, 200), "it is no media type");
}

function timeText(now: number): string {
  return new Date(Math.floor(now / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

function invalid(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: OP, subject, message });
}
