// A registry that listens: storages, request handler and HTTP server put together, in memory or on a directory.
// Layout below the root: registry.db (index), blobs/ and uploads/ (see storage/disk-blob-storage.ts).

import http, { type RequestListener, type Server } from "node:http";
import path from "node:path";
import { TeuError } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";
import type { AccessControl } from "@teu/distribution/server/access";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import { createRegistryHandler } from "@teu/distribution/server/handler";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";
import type { ServerLimits } from "@teu/distribution/server/server-options";

import { AccessDesk, type AccessOptions } from "./access/access-desk.ts";
import { listenOn, parseListenAddress } from "./listen-address.ts";
import { SqliteMetadata } from "./metadata/sqlite-metadata.ts";
import { RequestTracker } from "./request-tracker.ts";
import { checkWritable, DiskBlobStorage } from "./storage/disk-blob-storage.ts";
import { MemoryBlobStorage } from "./storage/memory-blob-storage.ts";
import { sweep, type SweepResult } from "./sweep.ts";
import { readTlsFiles, type TlsFiles, type TlsPair } from "./tls-files.ts";

/** What a registry can be told; everything has a default. Milliseconds. */
export interface RegistryOptions extends AccessOptions {
  /** "HOST:PORT"; port 0 takes a free one. Default "127.0.0.1:0". */
  readonly address?: string;
  /** Directory to keep everything in; absent: in memory. */
  readonly root?: string;
  /** Ends the registry's work when it ends; the log goes there. */
  readonly scope?: Scope;
  /** Who may do what. Default: everybody everything, or what the options of `AccessOptions` say, which exclude this one. */
  readonly access?: AccessControl;
  /** Speaks TLS, and nothing else. */
  readonly tls?: TlsFiles;
  readonly limits?: Partial<ServerLimits>;
  readonly readOnly?: boolean;
  readonly deletes?: boolean;
  readonly sparse?: boolean;
  /** How long unreferenced blobs stay. Default a day. */
  readonly grace?: number;
  /** How long an upload may lie idle. Default a day. */
  readonly uploadExpiry?: number;
  /** Between two sweeps; 0: never by itself. Default an hour. */
  readonly sweepInterval?: number;
  /** How long requests may go on when the registry is closed. Default 10 s. */
  readonly drain?: number;
}

const HOUR = 3_600_000;

/** A listening registry. Owns its storages and its socket; disposing drains and closes. */
export class Registry implements AsyncDisposable {
  /** Where it listens: "127.0.0.1:5000"; as the domain of references it needs nothing more. */
  readonly address: string;
  /** "http://127.0.0.1:5000", or "https://..." with TLS. */
  readonly url: string;
  readonly #parts: Parts;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts, address: string, secure: boolean) {
    this.#parts = parts;
    this.address = address;
    this.url = `${secure ? "https" : "http"}://${address}`;
    const { interval } = parts;
    if (interval > 0) this.#timer = setInterval(() => this.#sweepQuietly(), interval).unref();
  }

  /**
   * Opens the storages and listens.
   * @throws TeuError `already-exists` when the port is taken, `denied` when root or port are not ours, `invalid` for the address,
   * for a password file with other hashes than bcrypt, for certificates that cannot be used.
   */
  static async listen(options: RegistryOptions = {}): Promise<Registry> {
    const scope = options.scope ?? createScope();
    const address = parseListenAddress(options.address ?? "127.0.0.1:0");
    const tls = options.tls === undefined ? undefined : await readTlsFiles(options.tls);
    await using undo = new AsyncDisposableStack();
    const { access, close } = await openAccess(scope, options);
    undo.defer(close);
    const storages = await openStorages(scope, options.root);
    undo.use(storages.blobs);
    undo.use(storages.metadata);
    const { limits, readOnly, deletes, sparse } = options;
    const tracker = new RequestTracker(
      createRegistryHandler({
        scope,
        ...storages,
        access,
        ...(limits === undefined ? {} : { limits }),
        ...(readOnly === undefined ? {} : { readOnly }),
        ...(deletes === undefined ? {} : { deletes }),
        ...(sparse === undefined ? {} : { sparse }),
      }),
    );
    const server = await makeServer(tracker, tls);
    const bound = await listenOn(server, address);
    undo.move();
    return new Registry(
      {
        scope,
        server,
        tracker,
        ...storages,
        closeAccess: close,
        grace: options.grace ?? 24 * HOUR,
        uploadExpiry: options.uploadExpiry ?? 24 * HOUR,
        interval: options.sweepInterval ?? HOUR,
        drain: options.drain ?? 10_000,
      },
      bound,
      tls !== undefined,
    );
  }

  /** Cleans once now; `strays` also looks for bytes that a crash left. */
  async sweep(options: { readonly strays?: boolean } = {}): Promise<SweepResult> {
    const { scope, blobs, metadata, grace, uploadExpiry } = this.#parts;
    return sweep(scope, { blobs, metadata, grace, uploadExpiry, ...options });
  }

  /** The storages, for what works beside HTTP: export, verification, tests. */
  get storages(): { readonly blobs: BlobStorage; readonly metadata: MetadataStorage } {
    return this.#parts;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const { server, tracker, drain, blobs, metadata, closeAccess } = this.#parts;
    clearInterval(this.#timer);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await tracker.drained(drain);
    server.closeAllConnections();
    await closed;
    await tracker.drained(drain);
    await this.#sweeping;
    await blobs[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    await closeAccess();
  }

  #sweepQuietly(): void {
    this.#sweeping = this.sweep().catch((error: unknown) => {
      this.#parts.scope.log.warn("sweep failed", { error: String(error) });
    });
  }
}

interface Parts {
  readonly scope: Scope;
  readonly server: Server;
  readonly tracker: RequestTracker;
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
  readonly closeAccess: () => Promise<void>;
  readonly grace: number;
  readonly uploadExpiry: number;
  readonly interval: number;
  readonly drain: number;
}

async function openStorages(
  scope: Scope,
  root: string | undefined,
): Promise<{ blobs: BlobStorage; metadata: MetadataStorage }> {
  if (root === undefined) return { blobs: new MemoryBlobStorage(), metadata: SqliteMetadata.open(":memory:") };
  if (root === "") throw new TeuError({ code: "invalid", op: "open registry", message: "root is empty" });
  await checkWritable(root);
  const blobs = await DiskBlobStorage.open(scope, root);
  return { blobs, metadata: SqliteMetadata.open(path.join(root, "registry.db")) };
}

async function openAccess(
  scope: Scope,
  options: RegistryOptions,
): Promise<{ access: AccessControl; close: () => Promise<void> }> {
  const { access } = options;
  if (access === undefined) {
    const desk = await AccessDesk.open(scope, options);
    return { access: desk.access, close: () => desk[Symbol.asyncDispose]() };
  }
  if (options.htpasswd !== undefined || options.rules !== undefined)
    throw new TeuError({
      code: "invalid",
      op: "open registry",
      message: "access and htpasswd or rules exclude each other",
    });
  return { access, close: async () => {} };
}

async function makeServer(tracker: RequestTracker, tls: TlsPair | undefined): Promise<Server> {
  const options = {
    // Headers are bounded in size and time; bodies by their rate (body-reader.ts), since a large layer may take hours.
    maxHeaderSize: 32_768,
    headersTimeout: 30_000,
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 10_000,
    highWaterMark: 256 << 10,
    noDelay: true,
  };
  const listener: RequestListener = (request, response) => tracker.handle(request, response);
  const server = tls === undefined ? http.createServer(options, listener) : await secureServer(options, tls, listener);
  // Neither side says anything for this long: the other side is gone.
  server.setTimeout(120_000);
  return server;
}

// TLS takes 10 ms to load: only who wants it pays.
async function secureServer(options: http.ServerOptions, tls: TlsPair, listener: RequestListener): Promise<Server> {
  const https = await import("node:https");
  return https.createServer({ ...options, ...tls, minVersion: "TLSv1.2", handshakeTimeout: 10_000 }, listener);
}
