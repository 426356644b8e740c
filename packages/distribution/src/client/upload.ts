// Uploads a blob: not if the registry has it, by mounting where another repository has it, else as one streamed PUT, and when
// that fails in chunks, going on from wherever the registry says it is. A large upload that an earlier process left unfinished goes
// on where that one was (upload-journal.ts).

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { formatChunkRange, parseProgress } from "../wire/byte-range.ts";
import { OCI_CHUNK_MIN_LENGTH } from "../wire/headers.ts";
import { blobPath, uploadsPath } from "../wire/routes.ts";
import type { HttpResponse } from "./http-transport.ts";
import { isTransient } from "./network-error.ts";
import { resolveTarget } from "./redirects.ts";
import type { RegistryRequest, RegistrySession } from "./registry-session.ts";
import { accessTo, type BlobDescriptor, nameText, type RepositoryName } from "./repository.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";
import { type BlobSource, UploadBody } from "./upload-body.ts";
import type { UploadJournal, UploadRecord } from "./upload-journal.ts";

/** How a blob got to the registry. */
export type UploadOutcome = "present" | "mounted" | "uploaded";

/** Beyond the defaults. */
export interface UploadOptions {
  /** Repositories of the same registry that may have the blob. */
  readonly mountFrom?: readonly string[];
  /** Called with the bytes sent so far; goes back when something is sent again. */
  readonly progress?: (offset: number) => void;
  /** Size of chunks when one request for all does not work. Default 16 MiB. */
  readonly chunkSize?: number;
  /** Where unfinished uploads are remembered. Default: nowhere. */
  readonly journal?: UploadJournal;
}

const CHUNK = 16 << 20;
/** Below this, asking where an upload was costs more than sending it again. */
const WORTH_RESUMING = 4 << 20;

/** Sees to it that a repository has a blob. @throws TeuError `denied`, `exhausted`, `corrupt` when the source is not what it is called. */
export async function uploadBlob(
  scope: Scope,
  session: RegistrySession,
  name: RepositoryName,
  blob: BlobDescriptor,
  source: BlobSource,
  retry: RetryPolicy,
  options: UploadOptions = {},
): Promise<UploadOutcome> {
  const task = new Upload(session, name, blob, source, options);
  if (await task.isPresent(scope)) return "present";
  let location: URL | undefined;
  for (const from of options.mountFrom ?? []) {
    if (from === name.repository) continue;
    const begun = await task.tryMount(scope, from);
    if (begun === "refused") continue;
    if (location !== undefined) await task.cancel(scope, location);
    if (begun === "mounted") return "mounted";
    location = begun;
  }
  const journal = blob.size < WORTH_RESUMING ? undefined : options.journal;
  using record = (await journal?.claim(`${session.base.origin} ${name.repository} ${blob.digest}`)) ?? null;
  await task.send(scope, retry, location, record);
  await record?.forget();
  return "uploaded";
}

class Upload {
  readonly #session: RegistrySession;
  readonly #name: RepositoryName;
  readonly #blob: BlobDescriptor;
  readonly #source: BlobSource;
  readonly #options: UploadOptions;
  readonly #common: Pick<RegistryRequest, "access" | "op" | "subject">;
  #leastChunk = 0;
  #record: UploadRecord | null = null;

  constructor(
    session: RegistrySession,
    name: RepositoryName,
    blob: BlobDescriptor,
    source: BlobSource,
    options: UploadOptions,
  ) {
    this.#session = session;
    this.#name = name;
    this.#blob = blob;
    this.#source = source;
    this.#options = options;
    this.#common = {
      access: accessTo(name, "pull", "push"),
      op: "push blob",
      subject: `${nameText(name)}@${blob.digest}`,
    };
  }

  /** Sends the blob: on from where an earlier attempt was, or to `begun`, or to a new upload. */
  async send(scope: Scope, retry: RetryPolicy, begun: URL | undefined, record: UploadRecord | null): Promise<void> {
    this.#record = record;
    if (record !== null && (await this.#resume(scope, record))) {
      if (begun !== undefined) await this.cancel(scope, begun);
      return;
    }
    try {
      const location = begun ?? (await this.begin(scope));
      await record?.note(location.href);
      return await this.putWhole(scope, location);
    } catch (error) {
      const tooLarge = isTeuError(error) && error.detail["status"] === 413;
      if (!tooLarge && !isTransient(error)) throw error;
      scope.log.debug("upload goes on in chunks", { digest: this.#blob.digest, error: String(error) });
    }
    await withRetry(scope, retry, async () => this.#putChunks(scope, await this.begin(scope), 0));
  }

  // False when there is nothing to go on with: the registry has forgotten it, or never kept what came.
  async #resume(scope: Scope, { location }: UploadRecord): Promise<boolean> {
    if (location === null) return false;
    try {
      const at = await this.#whereabouts(scope, resolveTarget(this.#session.base, location), 0);
      if (at.offset === 0) return false;
      scope.log.debug("upload goes on where it was", { digest: this.#blob.digest, offset: at.offset });
      this.#options.progress?.(at.offset);
      await this.#putChunks(scope, at.location, at.offset);
      return true;
    } catch (error) {
      if (!isTeuError(error) || scope.signal.aborted) throw error;
      scope.log.debug("upload begins anew", { digest: this.#blob.digest, error: String(error) });
      return false;
    }
  }

  async isPresent(scope: Scope): Promise<boolean> {
    await using response = await this.#session.request(scope, {
      ...this.#common,
      method: "HEAD",
      target: blobPath(this.#name.repository, this.#blob.digest),
      expect: [200, 404],
    });
    return response.status === 200;
  }

  /** Begins an upload. */
  async begin(scope: Scope): Promise<URL> {
    await using response = await this.#session.request(scope, {
      ...this.#common,
      method: "POST",
      target: uploadsPath(this.#name.repository),
      expect: [202],
    });
    return this.#locationOf(response);
  }

  /** Mounts the blob from another repository: or says the upload that the registry began instead, or that it did nothing. */
  async tryMount(scope: Scope, from: string): Promise<URL | "mounted" | "refused"> {
    try {
      return await this.#mount(scope, from);
    } catch (error) {
      // Who may not read the source, or a registry that mounts nothing, has its own word for it: an upload is always right.
      if (!isTeuError(error) || scope.signal.aborted) throw error;
      scope.log.debug("mount is refused", { from, digest: this.#blob.digest, error: String(error) });
      return "refused";
    }
  }

  async #mount(scope: Scope, from: string): Promise<URL | "mounted"> {
    const query = new URLSearchParams({ mount: this.#blob.digest, from }).toString();
    await using response = await this.#session.request(scope, {
      ...this.#common,
      method: "POST",
      target: `${uploadsPath(this.#name.repository)}?${query}`,
      expect: [201, 202],
      access: [...this.#common.access, ...accessTo({ ...this.#name, repository: from }, "pull")],
    });
    return response.status === 201 ? "mounted" : this.#locationOf(response);
  }

  /** Ends an upload that is not needed; a registry that cannot do this lets it expire. */
  async cancel(scope: Scope, location: URL): Promise<void> {
    try {
      await using _ = await this.#session.request(scope, {
        ...this.#common,
        method: "DELETE",
        target: location,
        expect: [204],
        retry: false,
      });
    } catch (error) {
      if (!isTeuError(error) || scope.signal.aborted) throw error;
    }
  }

  /** The whole blob in one request. Not tried again as it is: the session's state is unknown after a failure. */
  async putWhole(scope: Scope, location: URL): Promise<void> {
    const body = this.#body(0, this.#blob.size);
    await using _ = await this.#session.request(scope, {
      ...this.#common,
      method: "PUT",
      target: this.#closing(location),
      expect: [201],
      retry: false,
      headers: { "content-type": "application/octet-stream" },
      body,
    });
    body.giveBack();
  }

  // A session, filled chunk by chunk.
  async #putChunks(scope: Scope, begun: URL, start: number): Promise<void> {
    let location = begun;
    let offset = start;
    let failures = 0;
    await this.#record?.note(location.href);
    while (offset < this.#blob.size) {
      const size = Math.max(this.#options.chunkSize ?? CHUNK, this.#leastChunk);
      const end = Math.min(offset + size, this.#blob.size);
      try {
        location = await this.#patch(scope, location, offset, end);
        offset = end;
        failures = 0;
        await this.#record?.note(location.href);
      } catch (error) {
        const status = isTeuError(error) ? error.detail["status"] : undefined;
        if (++failures > 3 || (status !== 416 && !isTransient(error))) throw error;
        ({ location, offset } = await this.#whereabouts(scope, location, offset));
      }
    }
    await using _ = await this.#session.request(scope, {
      ...this.#common,
      method: "PUT",
      target: this.#closing(location),
      expect: [201],
    });
  }

  async #patch(scope: Scope, location: URL, start: number, end: number): Promise<URL> {
    const body = this.#body(start, end);
    await using response = await this.#session.request(scope, {
      ...this.#common,
      method: "PATCH",
      target: location,
      expect: [202],
      retry: false,
      headers: { "content-type": "application/octet-stream", "content-range": formatChunkRange({ start, end }) },
      body,
    });
    body.giveBack();
    return this.#locationOf(response);
  }

  // "0-0" may mean one byte or none. Chunks are larger than one byte, so it means none.
  async #whereabouts(scope: Scope, location: URL, assumed: number): Promise<{ location: URL; offset: number }> {
    await using response = await this.#session.request(scope, {
      ...this.#common,
      method: "GET",
      target: location,
      expect: [204],
    });
    const reported = parseProgress(response.headers["range"]) ?? assumed;
    const offset = reported === 1 ? 0 : reported;
    if (offset > this.#blob.size) {
      throw new TeuError({
        code: "corrupt",
        op: "push blob",
        subject: this.#common.subject,
        message: `the registry has ${offset} bytes of ${this.#blob.size}`,
      });
    }
    return { location: response.headers.location === undefined ? location : this.#locationOf(response), offset };
  }

  #locationOf(response: HttpResponse): URL {
    const least = Number(response.headers[OCI_CHUNK_MIN_LENGTH] ?? "0");
    if (Number.isSafeInteger(least) && least > 0 && least <= 1 << 30) this.#leastChunk = least;
    const { location } = response.headers;
    if (location === undefined) {
      throw new TeuError({
        code: "invalid",
        op: "push blob",
        subject: this.#common.subject,
        message: "the registry does not say where to upload",
      });
    }
    return resolveTarget(response.url, location);
  }

  // The location is opaque, its query may be signed: nothing of it is rewritten.
  #closing(location: URL): URL {
    const url = new URL(location);
    url.search = `${url.search}${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(this.#blob.digest)}`;
    return url;
  }

  #body(start: number, end: number): UploadBody {
    return new UploadBody(this.#source, { start, end, last: end === this.#blob.size }, this.#options.progress);
  }
}
