// A registry that listens: storages, request handler and HTTP server put together, in memory or on a directory.
// Layout below the root: registry.db (index), blobs/ and uploads/ (see storage/disk-blob-storage.ts).

import path from "node:path";
import { TeuError } from "@teu/base/errors";
import { createScope, type Scope } from "@teu/base/scope";
import type { AccessControl, Caller } from "@teu/distribution/server/access";
import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import { createRegistryHandler } from "@teu/distribution/server/handler";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";
import type { RegistryServerOptions, ServerLimits } from "@teu/distribution/server/server-options";

import { planCollect } from "./admin/collect.ts";
import { AccessDesk, type AccessOptions } from "./access/access-desk.ts";
import { ClockNotes } from "./clock-note.ts";
import { makeFront } from "./front.ts";
import { type HttpServer, makeHttpServer } from "./http-server.ts";
import { listenOn, parseListenAddress } from "./listen-address.ts";
import { SqliteMetadata } from "./metadata/sqlite-metadata.ts";
import { type OpenOperations, type OperationsOptions, openOperations } from "./operations/open-operations.ts";
import { openProxies, type OpenProxies } from "./proxy/open-proxies.ts";
import { type ProxyOptions, proxyOf } from "./proxy/proxy-options.ts";
import { RequestTracker } from "./request-tracker.ts";
import { checkWritable, DiskBlobStorage } from "./storage/disk-blob-storage.ts";
import { MemoryBlobStorage } from "./storage/memory-blob-storage.ts";
import { lockRoot } from "./serve-lock.ts";
import type { SweepResult } from "./sweep.ts";
import { type Planner, Sweeper, type SweeperOptions } from "./sweeper.ts";
import { readTlsFiles, type TlsFiles, tlsStamp } from "./tls-files.ts";
import { TlsReload } from "./tls-reload.ts";

/** What a registry can be told; everything has a default. Milliseconds. */
export interface RegistryOptions
  extends Omit<AccessOptions, "certificates" | "isProxied">, OperationsOptions, SweeperOptions {
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
  /** Registries whose repositories are kept here. */
  readonly proxies?: readonly ProxyOptions[];
  readonly limits?: Partial<ServerLimits>;
  readonly readOnly?: boolean;
  readonly deletes?: boolean;
  readonly sparse?: boolean;
  /** How long requests may go on when the registry is closed. Default 10 s. */
  readonly drain?: number;
}

/** A listening registry. Owns its storages and its socket; disposing drains and closes. */
export class Registry implements AsyncDisposable {
  /** Where it listens: "127.0.0.1:5000"; as the domain of references it needs nothing more. */
  readonly address: string;
  /** "http://127.0.0.1:5000", or "https://..." with TLS. */
  readonly url: string;
  readonly #parts: Parts;
  readonly #sweeper: Sweeper;
  readonly #clock: ClockNotes | undefined;
  #options: RegistryOptions;
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts, address: string, options: RegistryOptions) {
    this.#parts = parts;
    this.#options = options;
    this.address = address;
    this.url = `${options.tls === undefined ? "http" : "https"}://${address}`;
    this.#sweeper = new Sweeper(parts.scope, parts.served, () => this.#options, parts.plan);
    const { root } = options;
    this.#clock = root === undefined ? undefined : new ClockNotes(parts.scope, root, () => this.#sweeper.now);
  }

  /**
   * Opens the storages and listens.
   * @throws TeuError `already-exists` when the port is taken, `conflict` when another process serves root, `denied` when root or
   * port are not ours, `invalid` for the address, for a password file with other hashes than bcrypt, for unusable certificates.
   */
  static async listen(options: RegistryOptions = {}): Promise<Registry> {
    const scope = options.scope ?? createScope();
    const address = parseListenAddress(options.address ?? "127.0.0.1:0");
    const stamp = options.tls === undefined ? "" : await tlsStamp(options.tls);
    const tls = options.tls === undefined ? undefined : await readTlsFiles(options.tls);
    await using undo = new AsyncDisposableStack();
    const { lock, ...storages } = await openStorages(scope, options.root);
    if (lock !== null) undo.use(lock);
    undo.use(storages.blobs);
    undo.use(storages.metadata);
    const proxies = undo.use(await openProxies(options.proxies ?? [], storages));
    const { access, desk } = await openAccess(scope, options);
    if (desk !== undefined) undo.use(desk);
    const addressOf = (caller: Caller): string =>
      desk?.access.settings.addressOf(caller) ?? caller.socket?.remoteAddress ?? "";
    const operations = undo.use(await openOperations(options, { scope, root: options.root, addressOf }));
    const observe = operations.observe === undefined ? {} : { observe: operations.observe };
    const locate = proxies.locate === undefined ? {} : { locate: proxies.locate };
    const { blobs, metadata } = proxies;
    const served: Served = { scope, blobs, metadata, access, ...switchesOf(options), ...observe, ...locate };
    const handler = makeFront(scope, {
      registry: createRegistryHandler(served),
      tokens: () => desk?.tokenServer,
      observeToken: operations.observeToken,
    });
    const tracker = new RequestTracker(handler);
    const http = await makeHttpServer((request, response) => tracker.handle(request, response), tls, idleOf(options));
    const bound = await listenOn(http.server, address);
    undo.defer(() => void http.server.close());
    const url = `${options.tls === undefined ? "http" : "https"}://${bound}`;
    await operations.begin({
      url,
      metadata: storages.metadata,
      underWay: () => tracker.underWay,
      isDraining: () => tracker.isDraining,
      ...(proxies.counts === undefined ? {} : { proxied: proxies.counts }),
    });
    undo.move();
    const reload = options.tls === undefined ? undefined : new TlsReload(scope, http, options.tls, stamp);
    const plan = plannerOf(options.root, storages);
    const parts = { scope, http, tracker, served, desk, reload, operations, proxies, lock, plan };
    return new Registry(parts, bound, options);
  }

  /**
   * Goes by other options from now on. Nothing changes when they cannot be used.
   * Returns the names of those that only another start can change.
   * @throws TeuError as `listen`.
   */
  async reconfigure(options: RegistryOptions): Promise<readonly string[]> {
    const { scope, desk, served, reload } = this.#parts;
    if (options.tls !== undefined) await readTlsFiles(options.tls);
    await desk?.configure(scope, accessOptions({ ...options, proxies: this.#options.proxies ?? [] }));
    Object.assign(served, switchesOf(options));
    const before = this.#options;
    this.#options = { ...options, ...(before.proxies === undefined ? {} : { proxies: before.proxies }) };
    this.#sweeper.reschedule();
    if (options.tls !== undefined) await reload?.look(options.tls);
    return needRestart(before, options);
  }

  /** Where metrics and health are, when they were asked for. */
  get operationsAddress(): string | undefined {
    return this.#parts.operations.address;
  }

  /** Opens the logs anew, after somebody moved them away. */
  reopenLogs(): void {
    this.#parts.operations.reopenLogs();
  }

  /** Takes new certificates if the files have changed; it looks by itself every ten seconds. */
  async reloadCertificates(): Promise<void> {
    await this.#parts.reload?.look();
  }

  /** Cleans once now; `strays` also looks for bytes that a crash left. */
  async sweep(options: { readonly strays?: boolean } = {}): Promise<SweepResult> {
    return this.#sweeper.sweep(options);
  }

  /** The storages, for what works beside HTTP: export, verification, tests. */
  get storages(): { readonly blobs: BlobStorage; readonly metadata: MetadataStorage } {
    return this.#parts.served;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const { http, tracker, served, desk, reload, operations, proxies, lock } = this.#parts;
    const { server } = http;
    const { drain = 10_000 } = this.#options;
    reload?.[Symbol.dispose]();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await tracker.drained(drain);
    server.closeAllConnections();
    await closed;
    await tracker.drained(drain);
    await this.#sweeper.stop();
    this.#clock?.[Symbol.dispose]();
    await operations[Symbol.asyncDispose]();
    await proxies[Symbol.asyncDispose]();
    await served.blobs[Symbol.asyncDispose]();
    await served.metadata[Symbol.asyncDispose]();
    lock?.[Symbol.dispose]();
    await desk?.[Symbol.asyncDispose]();
  }
}

/** Options that the handler reads with every request. */
type Served = { -readonly [K in keyof RegistryServerOptions]: RegistryServerOptions[K] };

interface Parts {
  readonly scope: Scope;
  readonly http: HttpServer;
  readonly tracker: RequestTracker;
  readonly served: Served;
  /** Undefined when the caller brought an access control of its own. */
  readonly desk: AccessDesk | undefined;
  readonly reload: TlsReload | undefined;
  readonly operations: OpenOperations;
  readonly proxies: OpenProxies;
  readonly lock: Disposable | null;
  readonly plan: Planner | undefined;
}

// Whether to speak TLS, and whether to ask for client certificates, is settled when a server is made.
function needRestart(before: RegistryOptions, after: RegistryOptions): string[] {
  const parts = ({ tls, ...options }: RegistryOptions): Record<string, unknown> => ({
    address: options.address,
    root: options.root,
    operations: options.operations,
    log: [options.accessLog, options.auditLog],
    webhooks: options.webhooks,
    proxies: options.proxies,
    tls: tls === undefined ? null : [tls.clientCa !== undefined, tls.clientCertificates],
  });
  const [old, now] = [parts(before), parts(after)];
  return Object.keys(now).filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]));
}

type Switches = Required<Pick<RegistryServerOptions, "limits" | "readOnly" | "deletes" | "sparse">>;

function switchesOf({ limits = {}, readOnly = false, deletes = true, sparse = false }: RegistryOptions): Switches {
  return { limits, readOnly, deletes, sparse };
}

interface Storages {
  readonly blobs: BlobStorage;
  readonly metadata: SqliteMetadata;
}

// What is in memory has no place for a copy of its index.
function plannerOf(path: string | undefined, storages: Storages): Planner | undefined {
  return path === undefined ? undefined : (scope, options) => planCollect(scope, { path, ...storages }, options);
}

async function openStorages(
  scope: Scope,
  root: string | undefined,
): Promise<Storages & { readonly lock: Disposable | null }> {
  if (root === undefined)
    return { blobs: new MemoryBlobStorage(), metadata: SqliteMetadata.open(":memory:"), lock: null };
  if (root === "") throw new TeuError({ code: "invalid", op: "open registry", message: "root is empty" });
  await checkWritable(root);
  using undo = new DisposableStack();
  const lock = undo.use(lockRoot(root));
  const blobs = await DiskBlobStorage.open(scope, root);
  const metadata = SqliteMetadata.open(path.join(root, "registry.db"));
  undo.move();
  return { blobs, metadata, lock };
}

async function openAccess(
  scope: Scope,
  options: RegistryOptions,
): Promise<{ readonly access: AccessControl; readonly desk: AccessDesk | undefined }> {
  const { access, htpasswd, rules, root } = options;
  if (access !== undefined) {
    if (htpasswd === undefined && rules === undefined) return { access, desk: undefined };
    const message = "access and htpasswd or rules exclude each other";
    throw new TeuError({ code: "invalid", op: "open registry", message });
  }
  const desk = await AccessDesk.open(scope, accessOptions(options), root);
  return { access: desk.access, desk };
}

function accessOptions(options: RegistryOptions): AccessOptions {
  const { proxies = [], tls } = options;
  const isProxied = (repository: string): boolean => proxyOf(proxies, repository) !== undefined;
  return { ...options, isProxied, certificates: tls?.clientCa !== undefined };
}

// How long a connection may be silent. Whoever waits for a slow upstream hears as little as we do.
function idleOf({ proxies = [] }: RegistryOptions): number {
  return proxies.length === 0 ? 120_000 : 900_000;
}
