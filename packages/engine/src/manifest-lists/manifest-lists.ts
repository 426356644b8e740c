// Manifest lists that are being put together on this host before they are pushed: which images of registries, for which platforms.
// One small file per list below ROOT/manifest-lists (store/paths.ts draws it); a lock orders writers.

import { readdir, readFile, rm, unlink } from "node:fs/promises";
import { join } from "node:path";

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decodeUtf8 } from "@teu/base/utf8";
import { fileError } from "@teu/files/addon";
import { FileLock } from "@teu/files/file-lock";
import { makeDirectory } from "@teu/files/make-directory";
import { replaceFile } from "@teu/files/replace-file";
import { digestEncoded, digestOf } from "@teu/image/digest";
import { parseReference, type Reference, referenceText } from "@teu/image/reference";
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageIndex,
  MEDIA_TYPES,
  parseDescriptor,
  type Platform,
} from "@teu/specs/image";
import { parseJson } from "@teu/specs/json";

/** One image of a list. */
export interface ListMember {
  /** Where it was found. */
  readonly reference: Reference;
  /** With its platform, when it has one. */
  readonly descriptor: Descriptor;
}

/** Images under one name to be. */
export interface ManifestList {
  readonly name: Reference;
  readonly members: readonly ListMember[];
}

/** What `replaceFile` writes before it is a list's file. */
const TEMPORARY = /^\.[0-9a-f]{64}\.json\.[0-9a-f]{12}$/;

/** The lists of one root. */
export class ManifestLists {
  readonly #directory: string;

  /** `root`: the engine's. */
  constructor(root: string) {
    this.#directory = join(root, "manifest-lists");
  }

  /** Null when there is none of that name. @throws TeuError `corrupt` when its file is damaged. */
  async find(scope: Scope, name: Reference): Promise<ManifestList | null> {
    scope.check("read manifest list");
    const path = this.#path(name);
    try {
      return parseList(name, await readFile(path));
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENOENT") return null;
      throw fileError("read manifest list", path, error);
    }
  }

  /** @throws TeuError `not-found`. */
  async get(scope: Scope, name: Reference): Promise<ManifestList> {
    const list = await this.find(scope, name);
    if (list !== null) return list;
    throw absent(name);
  }

  /** Makes a list, or with `amend` adds to one: what has the same reference is replaced. Returns all of it. @throws TeuError `already-exists`. */
  async create(
    scope: Scope,
    { name, members }: ManifestList,
    options: { readonly amend: boolean },
  ): Promise<ManifestList> {
    using _ = await this.#lock(scope);
    const present = await this.find(scope, name);
    if (present !== null && !options.amend)
      throw new TeuError({
        code: "already-exists",
        op: "create manifest list",
        subject: referenceText(name),
        message: "it is there already",
        hint: "--amend adds to it, `teu manifest rm` removes it",
      });
    const given = new Set(members.map(({ reference }) => referenceText(reference)));
    const kept = present?.members.filter(({ reference }) => !given.has(referenceText(reference))) ?? [];
    return await this.#write({ name, members: [...kept, ...members] });
  }

  /** Changes the platform of a member, given by reference or digest. Returns the list. @throws TeuError `not-found`. */
  async annotate(scope: Scope, name: Reference, member: Reference, changes: Partial<Platform>): Promise<ManifestList> {
    using _ = await this.#lock(scope);
    const list = await this.get(scope, name);
    const text = referenceText(member);
    const isMeant = ({ reference, descriptor }: ListMember): boolean =>
      referenceText(reference) === text || descriptor.digest === member.digest;
    if (!list.members.some(isMeant))
      throw new TeuError({
        code: "not-found",
        op: "annotate manifest list",
        subject: referenceText(name),
        message: `it holds no ${text}`,
        hint: `it holds ${list.members.map(({ reference }) => referenceText(reference)).join(", ")}`,
      });
    const members = list.members.map((one) => (isMeant(one) ? annotated(one, changes) : one));
    return await this.#write({ name, members });
  }

  /** @throws TeuError `not-found`. */
  async remove(scope: Scope, name: Reference): Promise<void> {
    using _ = await this.#lock(scope);
    try {
      // Without reading it: a damaged one must be removable.
      await unlink(this.#path(name));
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENOENT") throw absent(name);
      throw fileError("remove manifest list", this.#path(name), error);
    }
  }

  /** Removes what killed writers left. */
  async sweep(scope: Scope): Promise<void> {
    using _ = await this.#lock(scope);
    await this.#sweepLocked();
  }

  /** Nobody else can be writing: everything that is not a list's file is abandoned. */
  async #sweepLocked(): Promise<void> {
    for (const name of await readdir(this.#directory))
      if (TEMPORARY.test(name)) await rm(join(this.#directory, name), { force: true });
  }

  async #lock(scope: Scope): Promise<FileLock> {
    try {
      makeDirectory(this.#directory, 0o700);
    } catch (error) {
      throw fileError("write manifest list", this.#directory, error);
    }
    return await FileLock.acquire(scope, join(this.#directory, "lock"));
  }

  // A digest of the name, not the name: names are longer than file names may be.
  #path(name: Reference): string {
    return join(this.#directory, `${digestEncoded(digestOf(referenceText(name)))}.json`);
  }

  async #write(list: ManifestList): Promise<ManifestList> {
    const { name, members } = list;
    const kept = members.map(({ reference, descriptor }) => ({ reference: referenceText(reference), descriptor }));
    await this.#sweepLocked();
    await replaceFile(this.#path(name), JSON.stringify({ name: referenceText(name), members: kept }));
    return list;
  }
}

/** The index that a list becomes: Docker's kind when all its images are of Docker's kind. Same members, same bytes. */
export function indexOfList({ members }: ManifestList): { readonly mediaType: string; readonly bytes: Uint8Array } {
  const docker =
    members.length > 0 && members.every(({ descriptor }) => descriptor.mediaType === MEDIA_TYPES.dockerManifest);
  const mediaType = docker ? MEDIA_TYPES.dockerManifestList : MEDIA_TYPES.index;
  const manifests = members.map(({ descriptor }) => descriptor);
  const index: ImageIndex = { schemaVersion: 2, mediaType, manifests };
  return { mediaType, bytes: Buffer.from(JSON.stringify(index)) };
}

function absent(name: Reference): TeuError {
  return new TeuError({
    code: "not-found",
    op: "find manifest list",
    subject: referenceText(name),
    message: "no such manifest list on this host",
    hint: "make it with `teu manifest create`",
  });
}

function annotated({ reference, descriptor }: ListMember, changes: Partial<Platform>): ListMember {
  const platform = { ...descriptor.platform, ...changes };
  const { os, architecture } = platform;
  if (os === undefined || architecture === undefined)
    throw new TeuError({
      code: "invalid",
      op: "annotate manifest list",
      subject: referenceText(reference),
      message: "a platform has an operating system and an architecture",
      hint: "give --os and --arch",
    });
  return { reference, descriptor: { ...descriptor, platform: { ...platform, os, architecture } } };
}

function parseList(name: Reference, bytes: Uint8Array): ManifestList {
  try {
    const value = parseJson(decodeUtf8(bytes), { document: "manifest list", maxLength: 2 * DOCUMENT_LIMITS.index });
    const members = (value as { members?: unknown } | null)?.members;
    if (!Array.isArray(members)) throw damaged(name);
    return {
      name,
      members: members.map((member: unknown) => {
        const { reference, descriptor } = (member ?? {}) as Record<string, unknown>;
        if (typeof reference !== "string") throw damaged(name);
        return { reference: parseReference(reference), descriptor: parseDescriptor(descriptor) };
      }),
    };
  } catch (error) {
    throw isTeuError(error, "invalid") ? damaged(name, error) : error;
  }
}

function damaged(name: Reference, cause?: unknown): TeuError {
  return new TeuError({
    code: "corrupt",
    op: "read manifest list",
    subject: referenceText(name),
    message: "its file is damaged",
    hint: "remove it with `teu manifest rm` and create it again",
    cause,
  });
}
