// The hosts that a client speaks to, each found out about once: endpoints by hosts.toml, rules by registries.conf, connections.

import type { Scope } from "@teu/base/scope";
import type { Reference } from "@teu/image/reference";

import { type CredentialSource, noCredentials } from "./credentials.ts";
import type { Capability, EndpointSource } from "./endpoint.ts";
import { type PlaceChoice, type Places, type ReadyPlace, readyPlaces } from "./fetch-places.ts";
import { HttpTransport, type TransportOptions } from "./http-transport.ts";
import { NO_REGISTRIES, type RegistriesConf } from "./registries-conf.ts";
import { type HostOptions, RegistryHost } from "./registry-host.ts";
import { ruleFor } from "./registry-rules.ts";
import type { RegistrySession } from "./registry-session.ts";
import type { RepositoryName } from "./repository.ts";
import type { RetryPolicy } from "./retry.ts";

/** What hosts are spoken to with; everything has a default. */
export interface ClientHostOptions extends TransportOptions {
  /** Default: none. */
  readonly credentials?: CredentialSource;
  /** Hosts (with port) that may be spoken to without TLS, beside this machine. */
  readonly plainHttp?: (host: string) => boolean;
  /** Mirrors and settings of hosts (hosts.toml). Default: none. */
  readonly endpoints?: EndpointSource;
  /** What registries.conf says; asked for once. Default: nothing. */
  readonly registries?: () => Promise<RegistriesConf>;
}

/** See the head of this file. Disposing closes the connections. */
export class ClientHosts implements AsyncDisposable {
  readonly #options: ClientHostOptions;
  readonly #retry: RetryPolicy;
  readonly #transports: HttpTransport[] = [];
  readonly #warned: Set<string> = new Set();
  readonly #hosts: Map<string, Promise<RegistryHost>> = new Map();
  #registries: Promise<RegistriesConf> | undefined;
  #careful: HostOptions | undefined;
  #trusting: HostOptions | undefined;

  constructor(options: ClientHostOptions, retry: RetryPolicy) {
    this.#options = options;
    this.#retry = retry;
  }

  /** Where content is read; "resolve": what a tag means. @throws TeuError `denied` for what is blocked. */
  places(
    scope: Scope,
    name: RepositoryName | Reference,
    capability: Capability,
    choice: PlaceChoice = "likely",
  ): Promise<Places> {
    const host = (domain: string, insecure: boolean): Promise<RegistryHost> => this.#host(domain, insecure);
    return readyPlaces(scope, { registries: () => this.#conf(), host }, name, capability, choice);
  }

  /** Whether some mirror may have content, and none that comes before the host may say what a tag means. */
  async hasMereMirrors(scope: Scope, reference: Reference, resolving: readonly ReadyPlace[]): Promise<boolean> {
    if (resolving[0]?.isMirror === true) return false;
    return (await this.places(scope, reference, "pull"))[0]?.isMirror === true;
  }

  /** The host itself. */
  async session(scope: Scope, name: RepositoryName): Promise<RegistrySession> {
    return (await this.#ownHost(name)).own.session(scope);
  }

  /** The first endpoint that may be pushed to. @throws TeuError `unsupported`. */
  async pushSession(scope: Scope, name: RepositoryName): Promise<RegistrySession> {
    const [endpoint] = (await this.#ownHost(name)).able(scope, "push");
    return endpoint.session(scope);
  }

  /** Connections to what is no registry: no file says that such a host is insecure. */
  get transport(): HttpTransport {
    return (this.#careful ??= this.#hostOptions(false)).transport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#hosts.values()) {
      const host = await opening.catch(() => null);
      await host?.[Symbol.asyncDispose]();
    }
    for (const transport of this.#transports) await transport[Symbol.asyncDispose]();
  }

  // Only fetching follows `location` of registries.conf; what is blocked or insecure is so for everything.
  async #ownHost({ domain, repository }: RepositoryName): Promise<RegistryHost> {
    return this.#host(domain, ruleFor(await this.#conf(), { domain, repository })?.insecure === true);
  }

  #host(domain: string, insecure: boolean): Promise<RegistryHost> {
    const key = `${insecure ? "insecure " : ""}${domain}`;
    const held = this.#hosts.get(key);
    if (held !== undefined) return held;
    const options = insecure
      ? (this.#trusting ??= this.#hostOptions(true))
      : (this.#careful ??= this.#hostOptions(false));
    const opening = RegistryHost.open(domain, this.#options.endpoints ?? (async () => null), options);
    this.#hosts.set(key, opening);
    // A file that is wrong now may be mended later.
    opening.catch(() => this.#hosts.delete(key));
    return opening;
  }

  #hostOptions(insecure: boolean): HostOptions {
    const { credentials, plainHttp } = this.#options;
    const connect = insecure ? { ...this.#options, insecure: () => true } : this.#options;
    const transport = new HttpTransport(connect);
    this.#transports.push(transport);
    return {
      transport,
      connect,
      credentials: credentials ?? noCredentials,
      retry: this.#retry,
      plainHttp: insecure ? () => true : (plainHttp ?? (() => false)),
      warned: this.#warned,
    };
  }

  #conf(): Promise<RegistriesConf> {
    const reading = (this.#registries ??= this.#options.registries?.() ?? Promise.resolve(NO_REGISTRIES));
    reading.catch(() => (this.#registries = undefined));
    return reading;
  }
}
