// An index as an immutable value. Entries that no transform touched are never opened, and keep their bytes.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Descriptor, ImageIndex, Platform } from "@teu/specs/image";

import { digestOf } from "../digest.ts";
import { isIndexType } from "../documents.ts";
import { choosePlatform, formatPlatform } from "../platform.ts";
import { isDocumentType } from "../transport/open-image.ts";
import type { ImageDocument, ImageSource } from "../transport/source-and-sink.ts";
import { type ImageTransform, ImageValue, sameJson } from "./image-value.ts";
import { once } from "./once.ts";

/** BuildKit's name for "this entry is about that one". */
const ABOUT = "vnd.docker.reference.digest";

/** One image of an index. */
export interface IndexEntry {
  readonly descriptor: Descriptor;
  /** What it became; absent: what the descriptor says, unopened. */
  readonly value?: ImageValue | IndexValue;
}

/** What an index is made of. Transforms change this. */
export interface IndexParts {
  /** The index; its `manifests` are replaced by the entries. */
  readonly index: ImageIndex;
  readonly mediaType: string;
  readonly entries: readonly IndexEntry[];
  readonly original: { readonly source: ImageSource; readonly document: ImageDocument; readonly index: ImageIndex };
}

/** Opens an entry of an index. */
export type OpenEntry = (scope: Scope, descriptor: Descriptor) => Promise<ImageValue | IndexValue>;

/** See the head of this file. */
export class IndexValue {
  /** What it is called in messages. */
  readonly name: string;
  /** What it is made of. */
  readonly parts: (scope: Scope) => Promise<IndexParts>;
  /** The index's bytes and its descriptor. */
  readonly document: (scope: Scope) => Promise<ImageDocument>;
  readonly #open: OpenEntry;

  constructor(name: string, parts: (scope: Scope) => Promise<IndexParts>, open: OpenEntry) {
    this.name = name;
    this.#open = open;
    this.parts = once(parts);
    this.document = once(async (scope) => build(scope, await this.parts(scope)));
  }

  /** What an entry stands for. */
  async open(scope: Scope, entry: IndexEntry): Promise<ImageValue | IndexValue> {
    return entry.value ?? (await this.#open(scope, entry.descriptor));
  }

  /** The index that `change` makes of what this one is made of. */
  with(change: (parts: IndexParts, scope: Scope) => IndexParts | Promise<IndexParts>): IndexValue {
    return new IndexValue(this.name, async (scope) => change(await this.parts(scope), scope), this.#open);
  }

  /** With every image changed, of nested indexes too; artifacts stay, and what is about an image that changed goes. */
  mapImages(transform: ImageTransform): IndexValue {
    return this.with((parts) => ({
      ...parts,
      entries: parts.entries.map((entry) => {
        const { descriptor } = entry;
        if (!isDocumentType(descriptor.mediaType) || descriptor.annotations?.[ABOUT] !== undefined) return entry;
        return { descriptor, value: this.#mapped(entry, transform) };
      }),
    }));
  }

  /** With those entries only that are the best for one of `platforms`, and what is about them. @throws TeuError `not-found`. */
  onlyPlatforms(platforms: readonly Platform[]): IndexValue {
    return this.with((parts) => {
      const images = parts.entries
        .map(({ descriptor }) => descriptor)
        .filter(({ mediaType }) => isDocumentType(mediaType));
      const kept = new Set<string>();
      for (const platform of platforms) {
        const found = choosePlatform(images, platform);
        if (found === null) throw noPlatform(this.name, platform);
        kept.add(found.digest);
      }
      const isKept = ({ digest, annotations }: Descriptor): boolean =>
        kept.has(digest) || kept.has(annotations?.[ABOUT] ?? "");
      return { ...parts, entries: parts.entries.filter(({ descriptor }) => isKept(descriptor)) };
    });
  }

  #mapped(entry: IndexEntry, transform: ImageTransform): ImageValue | IndexValue {
    const opened = once((scope) => this.open(scope, entry));
    if (isIndexType(entry.descriptor.mediaType)) {
      const inner = async (scope: Scope): Promise<IndexValue> =>
        ((await opened(scope)) as IndexValue).mapImages(transform);
      return new IndexValue(this.name, async (scope) => (await inner(scope)).parts(scope), this.#open);
    }
    return new ImageValue(this.name, async (scope) => {
      const image = (await opened(scope)) as ImageValue;
      const parts = await image.parts(scope);
      return parts.config === null ? parts : transform(image).parts(scope);
    });
  }
}

async function build(scope: Scope, { index, mediaType, entries, original }: IndexParts): Promise<ImageDocument> {
  const changed = new Set<string>();
  const built: Descriptor[] = [];
  for (const { descriptor, value } of entries) {
    if (value === undefined) {
      built.push(descriptor);
      continue;
    }
    const { descriptor: now } = await value.document(scope);
    if (now.digest === descriptor.digest) {
      built.push({ ...descriptor, mediaType: now.mediaType });
      continue;
    }
    changed.add(descriptor.digest);
    // Content that the entry carried along, and where else it is, is that of the old image.
    const { data: _data, urls: _urls, ...kept } = descriptor;
    const { mediaType: type, digest, size } = now;
    built.push({ ...kept, mediaType: type, digest, size, ...(await platformOf(scope, value)) });
  }
  const manifests = built.filter(({ annotations }) => !changed.has(annotations?.[ABOUT] ?? ""));
  const value: ImageIndex = { ...index, manifests };
  if (mediaType === original.document.descriptor.mediaType && sameJson(value, original.index)) return original.document;
  const bytes = Buffer.from(JSON.stringify(value));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** A transform may have changed what an image is for; else the entry knows best. */
async function platformOf(scope: Scope, value: ImageValue | IndexValue): Promise<{ readonly platform?: Platform }> {
  if (value instanceof IndexValue) return {};
  const { config, original } = await value.parts(scope);
  if (config === null || sameJson(platformOnly(config), platformOnly(original?.config ?? config))) return {};
  return { platform: platformOnly(config) };
}

function platformOnly({ os, architecture, variant }: Platform): Platform {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}

function noPlatform(name: string, platform: Platform): TeuError {
  return new TeuError({
    code: "not-found",
    op: "choose platforms",
    subject: name,
    message: `no manifest for ${formatPlatform(platform)}`,
  });
}
