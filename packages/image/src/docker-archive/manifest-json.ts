// manifest.json, the list in Docker's image archives: which member is whose config, which are the layers, which names.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

import type { ContentStore } from "../content-store.ts";
import { parseDigest } from "../digest.ts";
import { isManifestType, readManifest } from "../documents.ts";
import { blobPath, type NamedImage } from "../layout/layout-files.ts";
import { familiarText } from "../reference.ts";

/** One image of the list. Paths are members of the archive. */
export interface DockerArchiveImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  /** Base first. */
  readonly Layers: readonly string[];
}

/** Name of the list in the archive. */
export const DOCKER_MANIFEST = "manifest.json";
/** Largest list taken. */
export const DOCKER_MANIFEST_LIMIT: number = 4 << 20;
/** Longest chain of layers; Docker's own limit is 127. */
const MAX_LAYERS = 1000;

/** The list for images whose blobs lie where an OCI layout has them. @throws TeuError `invalid` for an index. */
export async function dockerManifest(
  scope: Scope,
  store: ContentStore,
  images: readonly NamedImage[],
): Promise<DockerArchiveImage[]> {
  const list: DockerArchiveImage[] = [];
  for (const { descriptor, names } of images) {
    if (!isManifestType(descriptor.mediaType)) {
      throw new TeuError({
        code: "invalid",
        op: "save image",
        subject: descriptor.digest,
        message: `${descriptor.mediaType} is no single image, which is all that Docker's archives hold`,
        hint: "choose a platform",
      });
    }
    const manifest = await readManifest(scope, store, descriptor);
    list.push({
      Config: blobPath(parseDigest(manifest.config.digest)),
      // A name without a tag is none to Docker.
      RepoTags: names.filter((name) => name.tag !== undefined && name.digest === undefined).map(familiarText),
      Layers: manifest.layers.map((layer) => blobPath(parseDigest(layer.digest))),
    });
  }
  return list;
}

/** Reads the list. @throws TeuError `invalid`. */
export function parseDockerManifest(bytes: Uint8Array): DockerArchiveImage[] {
  const value = parseJson(decodeUtf8(bytes, "read manifest.json"), {
    document: "manifest.json",
    maxLength: DOCKER_MANIFEST_LIMIT,
  });
  if (!Array.isArray(value)) throw fault("it must be an array");
  return value.map((item: unknown, index) => {
    const { Config, RepoTags, Layers } = (typeof item === "object" && item !== null ? item : {}) as Record<
      string,
      unknown
    >;
    if (typeof Config !== "string") throw fault(`/${index}/Config must be a text`);
    const layers = textList(Layers ?? [], `/${index}/Layers`);
    if (layers.length > MAX_LAYERS) throw fault(`/${index}/Layers has more than ${MAX_LAYERS} entries`);
    return { Config, RepoTags: textList(RepoTags ?? [], `/${index}/RepoTags`), Layers: layers };
  });
}

function textList(value: unknown, path: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw fault(`${path} must be a list of texts`);
}

function fault(message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read manifest.json", message });
}
