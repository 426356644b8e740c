// The registry client: every operation of the distribution API, on any number of hosts, with one session per host.
// Whole images are pulled and pushed by pull.ts and push.ts.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { type Digest, digestOf, parseDigest } from "@teu/image/digest";
import { type Reference, referenceText } from "@teu/image/reference";
import { collectBytes, verifyStream } from "@teu/image/verified-stream";
import { type Descriptor, MEDIA_TYPES, parseIndex, parseManifest } from "@teu/specs/image";

import { OCI_SUBJECT } from "../wire/headers.ts";
import { API_ROOT, blobPath, manifestPath, tagsPath } from "../wire/routes.ts";
import { type CredentialSource, noCredentials } from "./credentials.ts";
import { downloadBlob } from "./download.ts";
import { HttpTransport, type RequestBody, type TransportOptions } from "./http-transport.ts";
import {
  MANIFEST_TYPES,
  type ManifestContent,
  manifestContent,
  type ManifestExpectation,
  manifestHead,
} from "./manifest-answer.ts";
import { listedStrings } from "./pages.ts";
import { fallbackIndex, listReferrers, referrersTag, withReferrer } from "./referrers.ts";
import { RegistrySession, type SessionOptions } from "./registry-session.ts";
import { accessTo, type BlobDescriptor, nameText, type RepositoryName } from "./repository.ts";
import { readLimited } from "./response-error.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { type BlobSource, uploadBlob, type UploadOptions, type UploadOutcome } from "./upload.ts";

/** What a client can be told; everything has a default. */
export interface RegistryClientOptions extends TransportOptions {
  /** Default: none. */
  readonly credentials?: CredentialSource;
  /** Hosts (with port) that may be spoken to without TLS, beside this machine. */
  readonly plainHttp?: (host: string) => boolean;
  readonly retry?: Partial<RetryPolicy>;
}

/** A manifest to push. */
export interface ManifestUpload {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Tag or digest to push it under. */
  readonly reference: string;
}

/** Largest manifest that is read. */
const MANIFEST_LIMIT = 4 << 20;

/** See the head of this file. Holds connections: dispose it. */
export class RegistryClient implements AsyncDisposable {
  readonly #transport: HttpTransport;
  readonly #shared: SessionOptions;
  readonly #sessions: Map<string, Promise<RegistrySession>> = new Map();

  constructor(options: RegistryClientOptions = {}) {
    this.#transport = new HttpTransport(options);
    this.#shared = {
      transport: this.#transport,
      credentials: options.credentials ?? noCredentials,
      retry: { ...DEFAULT_RETRY, ...options.retry },
      plainHttp: options.plainHttp ?? (() => false),
      warned: new Set(),
    };
  }

  /** Asks whether there is a registry, and whether our credentials are good: for login. @throws TeuError `denied`, `unavailable`. */
  async ping(scope: Scope, domain: string): Promise<void> {
    const session = await this.#session(scope, domain);
    await using _ = await session.request(scope, {
      method: "GET",
      target: API_ROOT,
      access: [],
      expect: [200],
      op: "reach registry",
      subject: domain,
    });
  }

  /** What a tag or digest stands for, by one HEAD where the registry says enough. @throws TeuError `not-found`. */
  async resolve(scope: Scope, reference: Reference): Promise<Descriptor & { readonly digest: Digest }> {
    const session = await this.#session(scope, reference.domain);
    const { digest } = reference;
    const response = await session.request(scope, {
      ...manifestRequest(reference),
      method: "HEAD",
      expect: [200, 405],
    });
    await response[Symbol.asyncDispose]();
    const head = response.status === 200 ? manifestHead(response, digest) : null;
    return head ?? (await this.manifest(scope, reference)).descriptor;
  }

  /**
   * A manifest or index, verified. `expected` adds what a descriptor says about it.
   * @throws TeuError `not-found`, `corrupt`, `invalid`, `unsupported` for other types, `exhausted` beyond 4 MiB.
   */
  async manifest(scope: Scope, reference: Reference, expected: ManifestExpectation = {}): Promise<ManifestContent> {
    const session = await this.#session(scope, reference.domain);
    const response = await session.request(scope, { ...manifestRequest(reference), method: "GET", expect: [200] });
    const bytes = await readLimited("pull manifest", response, expected.size ?? MANIFEST_LIMIT);
    return manifestContent(referenceText(reference), response, bytes, {
      ...expected,
      ...(reference.digest === undefined ? {} : { digest: reference.digest }),
    });
  }

  /** The blob, verified to its end: nothing may be trusted before. Goes on by itself where a connection broke. @throws TeuError `not-found`, `corrupt`. */
  async *blob(
    scope: Scope,
    name: RepositoryName,
    descriptor: { readonly digest: string; readonly size: number },
  ): AsyncIterable<Uint8Array> {
    const blob = { digest: parseDigest(descriptor.digest), size: descriptor.size };
    yield* verifyStream(this.download(scope, name, blob), blob, "pull blob");
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
    return collectBytes(this.blob(scope, name, descriptor), limit, "pull blob");
  }

  /** Bytes `offset` to the end, bounded by the declared size but **not verified**: for whoever verifies the whole. */
  async *download(
    scope: Scope,
    name: RepositoryName,
    blob: BlobDescriptor,
    offset: number = 0,
  ): AsyncIterable<Uint8Array> {
    const session = await this.#session(scope, name.domain);
    yield* downloadBlob(scope, session, name, blob, this.#shared.retry, offset);
  }

  /** Size of a blob; null when the repository does not have it. */
  async blobSize(scope: Scope, name: RepositoryName, digest: Digest): Promise<number | null> {
    const session = await this.#session(scope, name.domain);
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
    const session = await this.#session(scope, name.domain);
    const blob = { digest: parseDigest(descriptor.digest), size: descriptor.size };
    return uploadBlob(scope, session, name, blob, source, this.#shared.retry, options);
  }

  /** Pushes a manifest under a tag or digest. Where the registry keeps no referrers, the list that stands in is kept up. */
  async pushManifest(scope: Scope, name: RepositoryName, manifest: ManifestUpload): Promise<void> {
    const subject = await this.#putManifest(scope, name, manifest, {});
    if (!subject) await this.#fileReferrer(scope, name, manifest);
  }

  /** All tags of a repository, as the registry sorts them. */
  async *tags(scope: Scope, name: RepositoryName): AsyncIterable<string> {
    const session = await this.#session(scope, name.domain);
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
    const session = await this.#session(scope, domain);
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
    return listReferrers(scope, await this.#session(scope, name.domain), name, digest, options.artifactType);
  }

  /** Deletes by digest the manifest with all its tags, by tag only the tag. @throws TeuError `not-found`, `unsupported`. */
  async delete(scope: Scope, reference: Reference): Promise<void> {
    const session = await this.#session(scope, reference.domain);
    await using _ = await session.request(scope, {
      ...manifestRequest(reference),
      method: "DELETE",
      expect: [202],
      access: accessTo(reference, "pull", "delete"),
      op: "delete manifest",
    });
  }

  /** Takes a blob out of a repository. @throws TeuError `not-found`, `unsupported`. */
  async deleteBlob(scope: Scope, name: RepositoryName, digest: Digest): Promise<void> {
    const session = await this.#session(scope, name.domain);
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
    await this.#transport[Symbol.asyncDispose]();
  }

  #session(scope: Scope, domain: string): Promise<RegistrySession> {
    const held = this.#sessions.get(domain);
    if (held !== undefined) return held;
    const opening = RegistrySession.open(scope, domain, this.#shared);
    this.#sessions.set(domain, opening);
    opening.catch(() => this.#sessions.delete(domain));
    return opening;
  }

  // True when nothing is left to do about a subject.
  async #putManifest(
    scope: Scope,
    name: RepositoryName,
    manifest: ManifestUpload,
    headers: Record<string, string>,
  ): Promise<boolean> {
    const session = await this.#session(scope, name.domain);
    await using response = await session.request(scope, {
      method: "PUT",
      target: manifestPath(name.repository, manifest.reference),
      expect: [201],
      headers: { "content-type": manifest.mediaType, ...headers },
      body: bodyOf(manifest.bytes),
      access: accessTo(name, "pull", "push"),
      op: "push manifest",
      subject: `${nameText(name)}:${manifest.reference}`,
    });
    return response.headers[OCI_SUBJECT] !== undefined;
  }

  async #fileReferrer(scope: Scope, name: RepositoryName, manifest: ManifestUpload): Promise<void> {
    const entry = referrerOf(manifest);
    if (entry === null) return;
    const session = await this.#session(scope, name.domain);
    for (let tries = 0; ; tries++) {
      const found = await fallbackIndex(scope, session, name, entry.subject);
      const bytes = withReferrer(found?.index, entry.descriptor);
      if (bytes === null) return;
      try {
        // Another client may be adding its own entry at this moment.
        const condition: Record<string, string> = found?.etag === undefined ? {} : { "if-match": found.etag };
        await this.#putManifest(
          scope,
          name,
          { mediaType: MEDIA_TYPES.index, bytes, reference: referrersTag(entry.subject) },
          condition,
        );
        return;
      } catch (error) {
        if (tries === 3 || !isTeuError(error, "conflict")) throw error;
      }
    }
  }
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

function referrerOf({ mediaType, bytes }: ManifestUpload): { subject: Digest; descriptor: Descriptor } | null {
  const isImage = mediaType === MEDIA_TYPES.manifest;
  if (!isImage && mediaType !== MEDIA_TYPES.index) return null;
  const body = isImage ? parseManifest(bytes) : parseIndex(bytes);
  if (body.subject === undefined) return null;
  const artifactType = body.artifactType ?? ("config" in body ? body.config.mediaType : undefined);
  return {
    subject: parseDigest(body.subject.digest),
    descriptor: {
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(body.annotations === undefined ? {} : { annotations: body.annotations }),
    },
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
