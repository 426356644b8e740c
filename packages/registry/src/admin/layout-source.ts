// An OCI layout as a source of repositories. Entries of `teu registry export` say where they belong; others are named "app:v1" or
// have a full name, whose host is left away; what has a bare tag or nothing goes to a repository that the caller names.

import path from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, parseDigest } from "@teu/image/digest";
import { readLayoutIndex } from "@teu/image/layout/layout-directory";
import { blobPath, IMAGE_NAME, REF_NAME } from "@teu/image/layout/layout-files";
import { isRepository, isTag } from "@teu/image/reference";
import type { Descriptor } from "@teu/specs/image";

import { REPOSITORY_ANNOTATION } from "./export.ts";
import type { FoundManifest, ImportSource } from "./import.ts";

/** Reads a layout directory. */
export class LayoutSource implements ImportSource {
  readonly #directory: string;
  readonly #repository: string | undefined;

  /** `repository`: for entries that name none. */
  constructor(directory: string, repository?: string) {
    this.#directory = directory;
    this.#repository = repository;
  }

  fileOf(digest: Digest): string {
    return path.join(this.#directory, blobPath(digest));
  }

  async *manifests(scope: Scope): AsyncIterable<FoundManifest> {
    for (const entry of (await readLayoutIndex(scope, this.#directory)).manifests) {
      const { repository, tag } = this.#placeOf(entry);
      const { digest, mediaType } = entry;
      yield { repository, digest: parseDigest(digest), mediaType, tags: tag === undefined ? [] : [tag] };
    }
  }

  #placeOf({ annotations = {}, digest }: Descriptor): { repository: string; tag?: string } {
    const exported = annotations[REPOSITORY_ANNOTATION];
    if (exported !== undefined && isRepository(exported)) return { repository: exported };
    const name = annotations[IMAGE_NAME] ?? annotations[REF_NAME];
    const colon = name?.lastIndexOf(":") ?? -1;
    const [before, tag] = [name?.slice(0, colon) ?? "", name?.slice(colon + 1) ?? ""];
    // A first component with a dot or a port is a host.
    const [first = "", ...rest] = before.split("/");
    const repository = rest.length > 0 && /[.:]|^localhost$/.test(first) ? rest.join("/") : before;
    if (colon > 0 && isRepository(repository) && isTag(tag)) return { repository, tag };
    if (this.#repository !== undefined)
      return { repository: this.#repository, ...(name !== undefined && isTag(name) ? { tag: name } : {}) };
    throw new TeuError({
      code: "invalid",
      op: "import layout",
      subject: digest,
      message: name === undefined ? "its entry has no name" : `its name ${JSON.stringify(name)} has no repository`,
      hint: "name one with --repository",
    });
  }
}
