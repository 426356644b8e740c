// A registry host as a client sees it: its endpoints in order (mirrors before the host itself), each with a session that is opened
// when it is first needed. What one endpoint cannot do, the next one may: a mirror's failure costs time, never the pull.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { type Capability, DEFAULT_SETTINGS, type Endpoint, type EndpointSource } from "./endpoint.ts";
import { HttpTransport, type TransportOptions } from "./http-transport.ts";
import { hostOf, RegistrySession, type SessionOptions } from "./registry-session.ts";

/** How the sessions of a host are made. */
export interface HostOptions extends SessionOptions {
  /** What endpoints with settings of their own start from. */
  readonly connect: TransportOptions;
}

/** A mirror that could not be reached is left alone for so long. */
const REST = 60_000;

const RESTING: ReadonlySet<string> = new Set(["unavailable", "timeout", "denied"]);

/** One endpoint of a host. */
export class HostEndpoint implements AsyncDisposable {
  readonly capabilities: ReadonlySet<Capability>;
  /** Whether it stands in for the host. */
  readonly isMirror: boolean;
  /** For messages. */
  readonly name: string;
  readonly #endpoint: Endpoint;
  readonly #domain: string;
  readonly #options: HostOptions;
  readonly #ownTransport: HttpTransport | undefined;
  #session: Promise<RegistrySession> | undefined;
  #restsUntil = 0;

  readonly #told: Set<string> = new Set();

  /** `isLast`: nobody else has what this one has not. */
  constructor(domain: string, endpoint: Endpoint, options: HostOptions, isLast: boolean) {
    const { root, tls, connectTimeout } = endpoint;
    const host = root === null ? hostOf(domain) : root.host;
    this.capabilities = endpoint.capabilities;
    this.isMirror = host !== hostOf(domain);
    this.name = root === null ? domain : root.host;
    this.#endpoint = endpoint;
    this.#domain = domain;
    const isPlain = tls === null && connectTimeout === undefined;
    this.#ownTransport = isPlain ? undefined : new HttpTransport(connectOptions(host, endpoint, options.connect));
    this.#options = {
      ...options,
      ...(this.#ownTransport === undefined ? {} : { transport: this.#ownTransport }),
      // Waiting is for the last one.
      ...(!isLast ? { retry: { ...options.retry, attempts: 1 } } : {}),
    };
  }

  /** The one session. */
  session(scope: Scope): Promise<RegistrySession> {
    const opening = (this.#session ??= this.#open(scope));
    opening.catch(() => (this.#session = undefined));
    return opening;
  }

  /** Whether it failed to answer a short while ago. */
  rests(scope: Scope): boolean {
    return this.isMirror && scope.now() < this.#restsUntil;
  }

  /** Notes a failure after which another endpoint is asked. */
  failed(scope: Scope, error: TeuError): void {
    const note = `${this.name} is passed over: ${error.message}`;
    if (RESTING.has(error.code)) this.#restsUntil = scope.now() + REST;
    // That a mirror does not have everything is its nature; the rest is said once.
    if (error.code === "not-found" || this.#told.has(error.code)) return scope.log.debug(note);
    this.#told.add(error.code);
    scope.log.warn(note);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ownTransport?.[Symbol.asyncDispose]();
  }

  async #open(scope: Scope): Promise<RegistrySession> {
    const { root, headers } = this.#endpoint;
    if (root === null) return RegistrySession.open(scope, this.#domain, this.#options, headers);
    const domain = this.isMirror ? root.host : this.#domain;
    const standsFor = this.isMirror ? this.#domain : undefined;
    return RegistrySession.at({ root, domain, headers, standsFor }, this.#options);
  }
}

/** See the head of this file. */
export class RegistryHost implements AsyncDisposable {
  readonly #domain: string;
  readonly #endpoints: readonly HostEndpoint[];

  private constructor(domain: string, endpoints: readonly HostEndpoint[]) {
    this.#domain = domain;
    this.#endpoints = endpoints;
  }

  /** @throws TeuError `invalid`, `denied` about the files that say where the host is. */
  static async open(domain: string, source: EndpointSource, options: HostOptions): Promise<RegistryHost> {
    const endpoints = (await source(domain)) ?? [{ root: null, ...DEFAULT_SETTINGS }];
    return new RegistryHost(
      domain,
      endpoints.map((endpoint, i) => new HostEndpoint(domain, endpoint, options, i === endpoints.length - 1)),
    );
  }

  /** Those that may do something, in order; mirrors that did not answer lately only with `all`. Never empty. @throws TeuError `unsupported`. */
  able(scope: Scope, capability: Capability, all: boolean = false): readonly [HostEndpoint, ...HostEndpoint[]] {
    const able = this.#endpoints.filter(({ capabilities }) => capabilities.has(capability));
    const [first, ...others] = able.filter((endpoint) => all || !endpoint.rests(scope));
    if (first !== undefined) return [first, ...others];
    const [resting, ...more] = able;
    if (resting !== undefined) return [resting, ...more];
    throw new TeuError({
      code: "unsupported",
      op: "reach registry",
      subject: this.#domain,
      message: `hosts.toml names no host that may "${capability}"`,
    });
  }

  /** The endpoint for what mirrors have no say in: lists, deletions, login. */
  get own(): HostEndpoint {
    const own = this.#endpoints.findLast(({ isMirror }) => !isMirror) ?? this.#endpoints.at(-1);
    if (own !== undefined) return own;
    throw new TeuError({
      code: "unsupported",
      op: "reach registry",
      subject: this.#domain,
      message: "it has no endpoint",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const endpoint of this.#endpoints) await endpoint[Symbol.asyncDispose]();
  }
}

// Only for the endpoint itself: where a redirect leads to, what holds for other hosts holds.
function connectOptions(host: string, { tls, connectTimeout }: Endpoint, connect: TransportOptions): TransportOptions {
  const timeout = connectTimeout === undefined ? {} : { connectTimeout };
  if (tls === null) return { ...connect, ...timeout };
  return {
    ...connect,
    ...timeout,
    certificates: async (asked) => [
      ...((await connect.certificates?.(asked)) ?? []),
      ...(asked === host ? tls.authorities : []),
    ],
    clientCertificates: async (asked) => [
      ...((await connect.clientCertificates?.(asked)) ?? []),
      ...(asked === host ? tls.clients : []),
    ],
    insecure: (asked) => (asked === host && tls.skipVerify) || connect.insecure?.(asked) === true,
  };
}
