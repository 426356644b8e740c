// One registry that content is fetched from: by our own client, verified, with a short patience.

import { readFile } from "node:fs/promises";
import type { Scope } from "@teu/base/scope";
import type { ManifestContent } from "@teu/distribution/client/manifest-answer";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import type { RepositoryName } from "@teu/distribution/client/repository";
import type { Digest } from "@teu/image/digest";
import { parseReference, type Reference } from "@teu/image/reference";
import type { Descriptor } from "@teu/specs/image";

import { fileError } from "../storage/file-error.ts";
import { boundCredentials } from "./bound-credentials.ts";
import { parseUpstream, type ProxyOptions, type UpstreamName } from "./proxy-options.ts";

/** Milliseconds that a question may take: somebody waits. */
const PATIENCE = 20_000;

/** An upstream; disposing closes its connections. */
export class Upstream implements AsyncDisposable {
  readonly prefix: string;
  readonly ttl: number;
  /** Whether it is asked with user and password. */
  readonly hasLogin: boolean;
  readonly #client: RegistryClient;
  readonly #name: UpstreamName;

  private constructor(options: ProxyOptions, ca: string | undefined) {
    this.prefix = options.prefix;
    this.ttl = options.ttl ?? 300_000;
    this.hasLogin = options.username !== undefined;
    this.#name = parseUpstream(options.upstream);
    const { domain } = this.#name;
    this.#client = new RegistryClient({
      credentials: boundCredentials(domain, options),
      retry: { attempts: 2, longest: 2000 },
      connectTimeout: 10_000,
      userAgent: "teu-registry",
      ...(ca === undefined ? {} : { certificates: async () => [ca] }),
      ...(options.plainHttp === true ? { plainHttp: (host: string) => host === domain } : {}),
    });
  }

  /** @throws TeuError `invalid`, `not-found` for a file. */
  static async open(options: ProxyOptions): Promise<Upstream> {
    const { ca, passwordFile } = options;
    const password = passwordFile === undefined ? undefined : await read("password", passwordFile);
    const known = password === undefined ? options : { ...options, password: password.replace(/\r?\n$/, "") };
    return new Upstream(known, ca === undefined ? undefined : await read("certificate authority", ca));
  }

  /** The digest that a tag has there now. @throws TeuError `not-found`, `denied`, `unavailable`, `timeout`. */
  async resolve(scope: Scope, repository: string, tag: string): Promise<Digest> {
    return (await this.#client.resolve(scope.withTimeout(PATIENCE), this.#reference(repository, `:${tag}`))).digest;
  }

  /** A manifest, verified. @throws TeuError as `resolve`, `corrupt`. */
  async manifest(scope: Scope, repository: string, digest: Digest): Promise<ManifestContent> {
    return this.#client.manifest(scope.withTimeout(PATIENCE), this.#reference(repository, `@${digest}`));
  }

  /** A blob's size; null when it is not there. */
  async blobSize(scope: Scope, repository: string, digest: Digest): Promise<number | null> {
    return this.#client.blobSize(scope.withTimeout(PATIENCE), this.#repository(repository), digest);
  }

  /** A blob, verified to its end. @throws TeuError `not-found`, `corrupt`. */
  blob(
    scope: Scope,
    repository: string,
    blob: { readonly digest: Digest; readonly size: number },
  ): AsyncIterable<Uint8Array> {
    return this.#client.blob(scope, this.#repository(repository), blob);
  }

  /** All tags there. */
  async tags(scope: Scope, repository: string): Promise<string[]> {
    return Array.fromAsync(this.#client.tags(scope.withTimeout(PATIENCE), this.#repository(repository)));
  }

  /** What refers to a digest there, also where the upstream keeps it under tags. */
  async referrers(scope: Scope, repository: string, digest: Digest): Promise<readonly Descriptor[]> {
    return this.#client.referrers(scope.withTimeout(PATIENCE), this.#repository(repository), digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  #repository(local: string): RepositoryName {
    return this.#reference(local, "");
  }

  // Short names of Docker Hub are below library/, as everywhere.
  #reference(local: string, rest: string): Reference {
    const name = this.prefix === "" ? local : local.slice(this.prefix.length + 1);
    return parseReference(`${this.#name.domain}/${this.#name.base}${name}${rest}`);
  }
}

async function read(what: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fileError(`read ${what}`, file, error);
  }
}
