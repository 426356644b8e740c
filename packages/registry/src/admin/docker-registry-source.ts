// The directory of docker-registry (distribution 2 and 3, `filesystem` driver), below its rootdirectory:
//   docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/current/link      digest of the tag
//   docker/registry/v2/repositories/<name>/_manifests/revisions/<alg>/<hex>/link   manifests
//   docker/registry/v2/blobs/<alg>/<2 hex>/<hex>/data                              content

import { opendir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestAlgorithm, digestEncoded, isDigest } from "@teu/image/digest";
import { isRepository, isTag } from "@teu/image/reference";

import { fileError, isErrno } from "../storage/file-error.ts";
import type { FoundManifest, ImportSource } from "./import.ts";

const BELOW = ["docker", "registry", "v2"];

/** Reads such a directory. */
export class DockerRegistrySource implements ImportSource {
  readonly #base: string;

  private constructor(base: string) {
    this.#base = base;
  }

  /** Opens a rootdirectory, or the v2 directory in it; null when it is neither. */
  static async open(directory: string): Promise<DockerRegistrySource | null> {
    for (const base of [path.join(directory, ...BELOW), directory])
      if ((await isDirectory(path.join(base, "repositories"))) && (await isDirectory(path.join(base, "blobs"))))
        return new DockerRegistrySource(base);
    return null;
  }

  fileOf(digest: Digest): string {
    const encoded = digestEncoded(digest);
    return path.join(this.#base, "blobs", digestAlgorithm(digest), encoded.slice(0, 2), encoded, "data");
  }

  async *manifests(scope: Scope): AsyncIterable<FoundManifest> {
    yield* this.#below(scope, path.join(this.#base, "repositories"), "");
  }

  async *#below(scope: Scope, directory: string, repository: string): AsyncIterable<FoundManifest> {
    for (const name of await directoriesIn(directory)) {
      scope.check("import registry");
      if (name === "_manifests" && isRepository(repository))
        yield* this.#repository(path.join(directory, name), repository);
      // No component of a name begins with "_".
      if (!name.startsWith("_"))
        yield* this.#below(scope, path.join(directory, name), repository === "" ? name : `${repository}/${name}`);
    }
  }

  async *#repository(directory: string, repository: string): AsyncIterable<FoundManifest> {
    const tags = new Map<Digest, string[]>();
    for (const tag of await directoriesIn(path.join(directory, "tags"))) {
      const digest = isTag(tag) ? await linkIn(path.join(directory, "tags", tag, "current")) : null;
      if (digest !== null) tags.set(digest, [...(tags.get(digest) ?? []), tag]);
    }
    for (const algorithm of await directoriesIn(path.join(directory, "revisions")))
      for (const encoded of await directoriesIn(path.join(directory, "revisions", algorithm))) {
        // A deleted manifest keeps its directory, but no link.
        const digest = await linkIn(path.join(directory, "revisions", algorithm, encoded));
        if (digest !== null) yield { repository, digest, tags: tags.get(digest) ?? [] };
      }
  }
}

async function linkIn(directory: string): Promise<Digest | null> {
  try {
    const text = (await readFile(path.join(directory, "link"), "utf8")).trim();
    if (isDigest(text)) return text;
    throw new TeuError({
      code: "corrupt",
      op: "import registry",
      subject: directory,
      message: "its link is no digest",
    });
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw fileError("import registry", directory, error);
  }
}

async function directoriesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(directory)) if (entry.isDirectory()) names.push(entry.name);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw fileError("import registry", directory, error);
  }
  return names.sort();
}

async function isDirectory(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return false;
    throw fileError("import registry", directory, error);
  }
}
