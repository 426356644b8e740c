// Takes the members of an image archive into a content store while it streams by, in whatever order they come, and
// remembers which name has which content. Nothing is believed: contents get the digest that they have, links lead to
// names of this archive only, a name may occur once.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { BlobInfo, ContentStore } from "../content-store.ts";
import { createDigester, type Digest } from "../digest.ts";
import { digestOfPath } from "../layout/layout-files.ts";
import { tarMembers } from "../tar/members.ts";
import type { TarEntry } from "../tar/entry.ts";

/** Members beyond this are no image archive. */
const MAX_MEMBERS = 100_000;
/** Links followed for one name. */
const MAX_LINKS = 8;

/** The members of an archive, their contents in a store. */
export class ArchiveMembers {
  readonly #blobs = new Map<string, BlobInfo>();
  readonly #links = new Map<string, string>();
  /** Blobs that this archive brought, and which were not there before. */
  readonly #added = new Set<Digest>();

  /** Reads the whole archive. @throws TeuError `corrupt`, `exhausted`; `drop` then removes what was added. */
  async read(scope: Scope, source: AsyncIterable<Uint8Array>, store: ContentStore): Promise<void> {
    for await (const { entry, content } of tarMembers(scope, source, { entries: MAX_MEMBERS })) {
      const name = memberName(entry.name);
      if (entry.type === "directory") continue;
      if (this.#blobs.has(name) || this.#links.has(name)) throw refuse(entry.name, "it is in the archive twice");
      if (entry.type === "file" && entry.sparse === null) await this.#take(scope, store, name, entry, content);
      // Old Docker links a layer that two images share.
      else if (entry.type === "symlink") this.#links.set(name, joinName(name, entry.linkName));
      else if (entry.type === "hardlink") this.#links.set(name, memberName(entry.linkName));
      else throw refuse(entry.name, `a ${entry.type} has no place in an image archive`);
    }
  }

  /** The content of a member, links within the archive followed; null when there is none. */
  find(name: string): BlobInfo | null {
    let at = memberName(name);
    for (let count = 0; count <= MAX_LINKS; count++) {
      const blob = this.#blobs.get(at);
      if (blob !== undefined) return blob;
      const next = this.#links.get(at);
      if (next === undefined) return null;
      at = next;
    }
    throw refuse(name, "too many links");
  }

  /** Removes what the archive brought, but for `kept`. */
  async drop(scope: Scope, store: ContentStore, kept: ReadonlySet<string>): Promise<void> {
    for (const digest of this.#added) if (!kept.has(digest)) await store.delete(scope, digest);
  }

  async #take(
    scope: Scope,
    store: ContentStore,
    name: string,
    entry: TarEntry,
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    // A blob of an OCI layout says what it is, and must be it; other members are named by what they turn out to be.
    const digest = digestOfPath(name);
    await using ingest = await store.ingest(scope, `archive ${name}`, {
      size: entry.size,
      ...(digest === null ? {} : { digest }),
    });
    const digester = createDigester();
    for await (const chunk of content) {
      if (digest === null) digester.update(chunk);
      await ingest.write(chunk);
    }
    const before = await store.info(scope, digest ?? digester.digest());
    const blob = await ingest.commit();
    this.#blobs.set(name, blob);
    if (before === null) this.#added.add(blob.digest);
  }
}

/** "./a//b/" as "a/b". @throws TeuError `corrupt` for names that lead out of the archive. */
function memberName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(name, 'the name contains ".."');
  return parts.join("/");
}

/** A symlink's target, relative to the directory of its name. */
function joinName(name: string, target: string): string {
  const parts = target.startsWith("/") ? [] : name.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) throw refuse(name, "a link leads out of the archive");
    } else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function refuse(name: string, message: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read image archive", subject: name, message });
}
