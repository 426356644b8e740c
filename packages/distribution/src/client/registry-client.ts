// The registry client: every operation of the distribution API, on any number of hosts, with one session per endpoint. Content is
// read from mirrors where there are some; everything else goes to the host itself. Whole images are pulled and pushed by pull.ts and push.ts.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestAlgorithm, digestOf, isDigest, parseDigest } from "@teu/image/digest";
import { type Reference, referenceText, withDigest } from "@teu/image/reference";
import { collectBytes, verifyStream } from "@teu/image/verified-stream";
import { type Descriptor, MEDIA_TYPES } from "@teu/specs/image";

import { OCI_SUBJECT, OCI_TAG } from "../wire/headers.ts";
import { API_ROOT, blobPath, manifestPath, tagsPath } from "../wire/routes.ts";
import { type ClientHostOptions, ClientHosts } from "./client-hosts.ts";
import { downloadBlob } from "./download.ts";
import { firstAnswer, noteFailure } from "./fetch-places.ts";
import type { RequestBody } from "./http-transport.ts";
import {
  MANIFEST_TYPES,
  type ManifestContent,
  manifestContent,
  type ManifestExpectation,
  manifestHead,
} from "./manifest-answer.ts";
import { listedStrings } from "./pages.ts";
import { referrerOf, subjectIn } from "./referrer-entry.ts";
import { hasReferrersApi, listReferrers } from "./referrers.ts";
import { changeTaggedReferrers, type PutIndex } from "./referrers-tag.ts";
import type { RegistrySession } from "./registry-session.ts";
import { accessTo, type BlobDescriptor, nameText, type RepositoryName } from "./repository.ts";
import { readLimited } from "./response-error.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import type { BlobSource } from "./upload-body.ts";
import { uploadBlob, type UploadOptions, type UploadOutcome } from "./upload.ts";
import type { UploadJournal } from "./upload-journal.ts";
import { readWebFile } from "./web-file.ts";

/** What a client can be told; everything has a default. */
export interface RegistryClientOptions extends ClientHostOptions {
  readonly retry?: Partial<RetryPolicy>;
  /** Where unfinished uploads are remembered. Default: nowhere. */
  readonly uploads?: UploadJournal;
}

/** Which places are asked for content. */
export interface FetchOptions {
  /** Where the name leads by itself, no mirrors: after one of them had something else. Default false. */
  readonly original?: boolean;
}

/** A manifest to push. */
export interface ManifestUpload {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Tag or digest to push it under. */
  readonly reference: string;
  /** With a tag: the digest that it is known by. Of a tag alone registries make a sha256. */
  readonly digest?: Digest;
}

/** Largest manifest that is read. */
const MANIFEST_LIMIT = 4 << 20;

/** Why a manifest on a registry cannot be read. */
const UNREADABLE: ReadonlySet<string> = new Set(["not-found", "corrupt", "invalid", "unsupported", "exhausted"]);

interface PushedManifest {
  /** Nothing is left to do about a subject. */
  readonly subject: boolean;
  /** What the registry knows it by. */
  readonly digest: Digest;
}

/** See the head of this file. Holds connections: dispose it. */
export class RegistryClient implements AsyncDisposable {
  readonly #retry: RetryPolicy;
  readonly #hosts: ClientHosts;
  readonly #journal: { readonly journal?: UploadJournal };

  constructor(options: RegistryClientOptions = {}) {
    this.#retry = { ...DEFAULT_RETRY, ...options.retry };
    this.#hosts = new ClientHosts(options, this.#retry);
    this.#journal = options.uploads === undefined ? {} : { journal: options.uploads };
  }

  /**
   * Asks whether there is a registry, and whether our credentials are good: for login. Returns what its token server gave to be kept in
   * place of the password, or null. @throws TeuError `denied`, `unavailable`.
   */
  async ping(scope: Scope, domain: string): Promise<string | null> {
    const session = await this.#hosts.session(scope, { domain, repository: "" });
    await using _ = await session.request(scope, {
      method: "GET",
      target: API_ROOT,
      access: [],
      expect: [200],
      op: "reach registry",
      subject: domain,
    });
    return session.identityToken;
  }

  /** What a tag or digest stands for, by one HEAD where the registry says enough. @throws TeuError `not-found`. */
  async resolve(scope: Scope, reference: Reference): Promise<Descriptor & { readonly digest: Digest }> {
    const places = await this.#hosts.places(scope, reference, reference.digest === undefined ? "resolve" : "pull");
    return firstAnswer(scope, places, async (session, place) => {
      const response = await session.request(scope, {
        ...manifestRequest(place.reference),
        method: "HEAD",
        expect: [200, 405],
      });
      await response[Symbol.asyncDispose]();
      const head = response.status === 200 ? manifestHead(response, reference.digest) : null;
      return head ?? (await readManifest(scope, session, place.reference, {})).descriptor;
    });
  }

  /**
   * A manifest or index, verified. `expected` adds what a descriptor says about it.
   * @throws TeuError `not-found`, `corrupt`, `invalid`, `unsupported` for other types, `exhausted` beyond 4 MiB.
   */
  async manifest(scope: Scope, reference: Reference, expected: ManifestExpectation = {}): Promise<ManifestContent> {
    const byTag = reference.digest === undefined;
    const places = await this.#hosts.places(scope, reference, byTag ? "resolve" : "pull");
    if (byTag && (await this.#hosts.hasMereMirrors(scope, reference, places))) {
      // One HEAD says what the tag means; the manifest itself comes from a mirror that is not trusted to say that.
      const { digest } = await this.resolve(scope, reference);
      return this.manifest(scope, withDigest(reference, digest), expected);
    }
    return firstAnswer(scope, places, (session, place) => readManifest(scope, session, place.reference, expected));
  }

  /** The blob, verified to its end: nothing may be trusted before. Goes on by itself where a connection broke. @throws TeuError `not-found`, `corrupt`. */
  async *blob(
    scope: Scope,
    name: RepositoryName,
    descriptor: { readonly digest: string; readonly size: number },
    options: FetchOptions = {},
  ): AsyncIterable<Uint8Array> {
    const blob = { digest: parseDigest(descriptor.digest), size: descriptor.size };
    yield* verifyStream(this.download(scope, name, blob, 0, options), blob, "pull blob");
  }

  /** A small blob in one piece, verified. @throws TeuError `exhausted` beyond `limit` bytes. */
  async blobBytes(
    scope: Scope,
    name: RepositoryName,
    descriptor: { readonly digest: string; readonly size: number },
    limit: number,
  ): Promise<Uint8Array> {
    if (descriptor.size > limit) {
      throw new TeuError({
        code: "exhausted",
        op: "pull blob",
        subject: descriptor.digest,
        message: `${descriptor.size} bytes, limit is ${limit}`,
      });
    }
    try {
      return await collectBytes(this.blob(scope, name, descriptor), limit, "pull blob");
    } catch (error) {
      if (!isTeuError(error, "corrupt") || !(await this.hasMirrors(scope, name))) throw error;
      return collectBytes(this.blob(scope, name, descriptor, { original: true }), limit, "pull blob");
    }
  }

  /** Bytes `offset` to the end, bounded by the declared size but **not verified**: for whoever verifies the whole. */
  async *download(
    scope: Scope,
    name: RepositoryName,
    blob: BlobDescriptor,
    offset: number = 0,
    options: FetchOptions = {},
  ): AsyncIterable<Uint8Array> {
    const places = await this.#hosts.places(scope, name, "pull", options.original === true ? "original" : "likely");
    let at = offset;
    for (const [i, place] of places.entries()) {
      try {
        const session = await place.endpoint.session(scope);
        for await (const chunk of downloadBlob(scope, session, place.reference, blob, session.retry, at)) {
          at += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        if (i === places.length - 1) throw error;
        noteFailure(scope, place, error);
      }
    }
  }

  /** Whether content of a repository may come from elsewhere than where its name leads. */
  async hasMirrors(scope: Scope, name: RepositoryName): Promise<boolean> {
    return (await this.#hosts.places(scope, name, "pull", "all")).some(({ isMirror }) => isMirror);
  }

  /** Size of a blob; null when the repository does not have it. */
  async blobSize(scope: Scope, name: RepositoryName, digest: Digest): Promise<number | null> {
    const session = await this.#hosts.session(scope, name);
    await using response = await session.request(scope, {
      method: "HEAD",
      target: blobPath(name.repository, digest),
      access: accessTo(name, "pull"),
      expect: [200, 404],
      op: "look up blob",
      subject: `${nameText(name)}@${digest}`,
    });
    return response.status === 200 ? Number(response.headers["content-length"] ?? "0") : null;
  }

  /** Sees to it that the repository has the blob. `source` may be opened several times. @throws TeuError `denied`, `corrupt`, `exhausted`. */
  async pushBlob(
    scope: Scope,
    name: RepositoryName,
    descriptor: { readonly digest: string; readonly size: number },
    source: BlobSource,
    options: UploadOptions = {},
  ): Promise<UploadOutcome> {
    const session = await this.#hosts.pushSession(scope, name);
    const blob = { digest: parseDigest(descriptor.digest), size: descriptor.size };
    return uploadBlob(scope, session, name, blob, source, this.#retry, { ...this.#journal, ...options });
  }

  /** Pushes a manifest under a tag or digest. Where the registry keeps no referrers, the list that stands in is kept up. */
  async pushManifest(scope: Scope, name: RepositoryName, manifest: ManifestUpload): Promise<void> {
    const pushed = await this.#putKeepingDigest(scope, name, manifest);
    if (!pushed.subject) await this.#fileReferrer(scope, name, manifest, pushed.digest);
  }

  /** All tags of a repository, as the registry sorts them. */
  async *tags(scope: Scope, name: RepositoryName): AsyncIterable<string> {
    const session = await this.#hosts.session(scope, name);
    yield* listedStrings(
      scope,
      session,
      {
        method: "GET",
        target: tagsPath(name.repository),
        access: accessTo(name, "pull"),
        expect: [200],
        op: "list tags",
        subject: nameText(name),
      },
      "tags",
    );
  }

  /** All repositories of a registry, where it tells. */
  async *catalog(scope: Scope, domain: string): AsyncIterable<string> {
    const session = await this.#hosts.session(scope, { domain, repository: "" });
    const access = [{ type: "registry", name: "catalog", actions: ["*"] }];
    yield* listedStrings(
      scope,
      session,
      {
        method: "GET",
        target: `${API_ROOT}_catalog`,
        access,
        expect: [200],
        op: "list repositories",
        subject: domain,
      },
      "repositories",
    );
  }

  /** Manifests that have `digest` as their subject. */
  async referrers(
    scope: Scope,
    name: RepositoryName,
    digest: Digest,
    options: { readonly artifactType?: string } = {},
  ): Promise<Descriptor[]> {
    return listReferrers(scope, await this.#hosts.session(scope, name), name, digest, options.artifactType);
  }

  /**
   * A file of a web server that is no registry, with that host's certificates and proxy and without credentials; null: there is none.
   * @throws TeuError `exhausted` beyond `limit` bytes, `unavailable`.
   */
  async webFile(scope: Scope, url: URL, limit: number): Promise<Uint8Array | null> {
    return readWebFile(scope, this.#hosts.transport, url, limit, this.#retry);
  }

  /**
   * Deletes by digest the manifest with all its tags, by tag only the tag. Where the registry keeps no referrers, what referred to
   * something leaves the list that stands in. @throws TeuError `not-found`, `unsupported`.
   */
  async delete(scope: Scope, reference: Reference): Promise<void> {
    const session = await this.#hosts.session(scope, reference);
    const { digest } = reference;
    const subject = digest === undefined ? null : await this.#subjectOf(scope, reference);
    const response = await session.request(scope, {
      ...manifestRequest(reference),
      method: "DELETE",
      expect: [202],
      access: accessTo(reference, "pull", "delete"),
      op: "delete manifest",
    });
    await response[Symbol.asyncDispose]();
    if (digest !== undefined && subject !== null) await this.#unfileReferrer(scope, reference, digest, subject);
  }

  /** Takes a blob out of a repository. @throws TeuError `not-found`, `unsupported`. */
  async deleteBlob(scope: Scope, name: RepositoryName, digest: Digest): Promise<void> {
    const session = await this.#hosts.session(scope, name);
    await using _ = await session.request(scope, {
      method: "DELETE",
      target: blobPath(name.repository, digest),
      access: accessTo(name, "pull", "delete"),
      expect: [202],
      op: "delete blob",
      subject: `${nameText(name)}@${digest}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hosts[Symbol.asyncDispose]();
  }

  /**
   * By tag; a digest of another algorithm than sha256 goes first, with the tag in the same request where the registry knows that. One
   * that has sha256 alone calls such a digest wrong: then the tag has to do.
   */
  async #putKeepingDigest(scope: Scope, name: RepositoryName, manifest: ManifestUpload): Promise<PushedManifest> {
    const { digest, reference } = manifest;
    const plain = async (): Promise<PushedManifest> => {
      const { subject } = await this.#putManifest(scope, name, manifest, {});
      return { subject, digest: isDigest(reference) ? reference : digestOf(manifest.bytes) };
    };
    if (digest === undefined || digest === reference || digestAlgorithm(digest) === "sha256") return plain();
    const first = await this.#putManifest(scope, name, { ...manifest, reference: digest }, {}, reference).catch(
      (error: unknown) => {
        if (isTeuError(error, "invalid")) return null;
        throw error;
      },
    );
    if (first?.tagged === true) return { subject: first.subject, digest };
    return plain();
  }

  async #putManifest(
    scope: Scope,
    name: RepositoryName,
    manifest: ManifestUpload,
    headers: Record<string, string>,
    tag?: string,
  ): Promise<{ readonly subject: boolean; readonly tagged: boolean }> {
    const session = await this.#hosts.pushSession(scope, name);
    const query = tag === undefined ? "" : `?${new URLSearchParams({ tag }).toString()}`;
    await using response = await session.request(scope, {
      method: "PUT",
      target: `${manifestPath(name.repository, manifest.reference)}${query}`,
      expect: [201],
      headers: { "content-type": manifest.mediaType, ...headers },
      body: bodyOf(manifest.bytes),
      access: accessTo(name, "pull", "push"),
      op: "push manifest",
      subject: `${nameText(name)}:${manifest.reference}`,
    });
    const tags = [response.headers[OCI_TAG] ?? []].flat().flatMap((line) => line.split(/,\s*/));
    return { subject: response.headers[OCI_SUBJECT] !== undefined, tagged: tag !== undefined && tags.includes(tag) };
  }

  async #fileReferrer(scope: Scope, name: RepositoryName, manifest: ManifestUpload, digest: Digest): Promise<void> {
    const entry = referrerOf(manifest.mediaType, manifest.bytes, digest);
    if (entry === null) return;
    const { subject, descriptor } = entry;
    const session = await this.#hosts.pushSession(scope, name);
    const change = (present: readonly Descriptor[]): readonly Descriptor[] | null =>
      present.some((one) => one.digest === digest) ? null : [...present, descriptor];
    await changeTaggedReferrers(scope, session, name, subject, change, this.#putIndex(scope, name));
  }

  async #unfileReferrer(scope: Scope, name: RepositoryName, digest: Digest, subject: Digest): Promise<void> {
    if (await hasReferrersApi(scope, await this.#hosts.session(scope, name), name, subject)) return;
    const session = await this.#hosts.pushSession(scope, name);
    const change = (present: readonly Descriptor[]): readonly Descriptor[] | null => {
      const left = present.filter((one) => one.digest !== digest);
      return left.length === present.length ? null : left;
    };
    await changeTaggedReferrers(scope, session, name, subject, change, this.#putIndex(scope, name));
  }

  #putIndex(scope: Scope, name: RepositoryName): PutIndex {
    return (bytes, reference, headers) =>
      this.#putManifest(scope, name, { mediaType: MEDIA_TYPES.index, bytes, reference }, headers);
  }

  // What cannot be read as a manifest can be deleted all the same.
  async #subjectOf(scope: Scope, reference: Reference): Promise<Digest | null> {
    try {
      const session = await this.#hosts.session(scope, reference);
      const { descriptor, bytes } = await readManifest(scope, session, reference, {});
      return subjectIn(descriptor.mediaType, bytes);
    } catch (error) {
      if (isTeuError(error) && UNREADABLE.has(error.code)) return null;
      throw error;
    }
  }
}

async function readManifest(
  scope: Scope,
  session: RegistrySession,
  reference: Reference,
  expected: ManifestExpectation,
): Promise<ManifestContent> {
  const response = await session.request(scope, { ...manifestRequest(reference), method: "GET", expect: [200] });
  const bytes = await readLimited("pull manifest", response, expected.size ?? MANIFEST_LIMIT);
  return manifestContent(referenceText(reference), response, bytes, {
    ...expected,
    ...(reference.digest === undefined ? {} : { digest: reference.digest }),
  });
}

function manifestRequest(reference: Reference): {
  target: string;
  headers: Record<string, string>;
  access: ReturnType<typeof accessTo>;
  op: string;
  subject: string;
} {
  const text = reference.digest ?? reference.tag;
  if (text === undefined)
    throw new TeuError({
      code: "invalid",
      op: "pull manifest",
      subject: referenceText(reference),
      message: "neither tag nor digest",
    });
  return {
    target: manifestPath(reference.repository, text),
    headers: { accept: MANIFEST_TYPES.join(", ") },
    access: accessTo(reference, "pull"),
    op: "pull manifest",
    subject: referenceText(reference),
  };
}

function bodyOf(bytes: Uint8Array): RequestBody {
  return {
    size: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}
