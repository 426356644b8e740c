// One endpoint of a registry host: where it is (and whether by TLS), requests with authorisation, redirects, retries and warnings.
// A client has one session per endpoint, shared by all its operations.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { API_ROOT } from "../wire/routes.ts";
import { formatTokenScope, type TokenScope } from "../wire/token-scope.ts";
import { parseWarnings } from "../wire/warning-header.ts";
import { Authorizer } from "./authorizer.ts";
import type { CredentialSource } from "./credentials.ts";
import type { HttpResponse, HttpTransport, RequestBody } from "./http-transport.ts";
import { isLoopback } from "./loopback.ts";
import { isScarce, rateLimitOf, rateLimitText } from "./rate-limit.ts";
import { sendFollowing } from "./redirects.ts";
import { responseError } from "./response-error.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";

/** A request to a registry. */
export interface RegistryRequest {
  readonly method: string;
  /** A path of the API ("/v2/..."), or a URL that the host gave us (checked by `resolveTarget`). */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** Rights that the request needs. */
  readonly access: readonly TokenScope[];
  /** Statuses that are answers; everything else becomes an error. */
  readonly expect: readonly number[];
  /** For errors: what is tried, and on what. */
  readonly op: string;
  readonly subject: string;
  /** Whether to try again on passing failures. Default true. */
  readonly retry?: boolean;
}

/** What sessions of one client share. */
export interface SessionOptions {
  readonly transport: HttpTransport;
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  /** Whether a host may be spoken to without TLS. */
  readonly plainHttp: (host: string) => boolean;
  /** Shown once each. */
  readonly warned: Set<string>;
}

/** What makes an endpoint differ from the plain host. */
export interface SessionPlace {
  /** "https://mirror.example/v2/": begins every path of the API. */
  readonly root: URL;
  /** What credentials are filed under. */
  readonly domain: string;
  /** Sent with every request to the endpoint. */
  readonly headers: Readonly<Record<string, string>>;
  /** The host for which it stands in: it may stand in for several, and is told by `ns=`. */
  readonly standsFor: string | undefined;
}

const HUB = "docker.io";
const HUB_HOST = "registry-1.docker.io";

/** See the head of this file. */
export class RegistrySession {
  readonly domain: string;
  /** "https://registry-1.docker.io". */
  readonly base: URL;
  readonly #place: SessionPlace;
  readonly #options: SessionOptions;
  readonly #authorizer: Authorizer;
  #asking: Promise<void> | undefined;
  #toldLimit = false;

  private constructor(place: SessionPlace, options: SessionOptions) {
    this.domain = place.domain;
    this.base = new URL(place.root.origin);
    this.#place = place;
    this.#options = options;
    this.#authorizer = new Authorizer(place.domain, this.base, options.transport, options.credentials);
  }

  /** See `Authorizer.identityToken`. */
  get identityToken(): string | null {
    return this.#authorizer.identityToken;
  }

  /** A session with an endpoint whose address is known to the letter. */
  static at(place: SessionPlace, options: SessionOptions): RegistrySession {
    return new RegistrySession(place, options);
  }

  /** Finds out how to speak to the registry of a domain. Registries on this machine are asked, others speak TLS unless told otherwise. */
  static async open(
    scope: Scope,
    domain: string,
    options: SessionOptions,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RegistrySession> {
    const host = hostOf(domain);
    const secure = new URL(`https://${host}`);
    const plain = new URL(`http://${host}`);
    const { transport } = options;
    let base = secure;
    // On this machine plain first: it costs nothing secret to ask, what speaks TLS cannot answer, and TLS takes time to load.
    if (isLoopback(secure.hostname)) base = (await speaksPlain(scope, transport, plain)) ? plain : secure;
    else if (options.plainHttp(host)) base = (await speaksTls(scope, transport, secure)) ? secure : plain;
    return new RegistrySession({ root: new URL(API_ROOT, base), domain, headers, standsFor: undefined }, options);
  }

  /** How patient this session is. */
  get retry(): RetryPolicy {
    return this.#options.retry;
  }

  /** The URL of a request's target. */
  locate(target: string | URL): URL {
    if (typeof target !== "string") return target;
    const { root, standsFor } = this.#place;
    const url = new URL(
      target.startsWith(API_ROOT) ? root.pathname + target.slice(API_ROOT.length) : target,
      this.base,
    );
    if (standsFor !== undefined) url.searchParams.set("ns", standsFor);
    return url;
  }

  /**
   * Sends a request: authorised, following redirects, again when it failed in passing.
   * @throws TeuError by the answer's status, as `responseError` says.
   */
  async request(scope: Scope, request: RegistryRequest): Promise<HttpResponse> {
    const { retry } = this;
    return withRetry(scope, request.retry === false ? { ...retry, attempts: 1 } : retry, () =>
      this.#authorised(scope, request),
    );
  }

  async #authorised(scope: Scope, request: RegistryRequest): Promise<HttpResponse> {
    if (request.target !== API_ROOT && (await this.#authorizer.lacksChallenge(scope, request.access)))
      await this.#askOnce(scope, request.access);
    let used = await this.#authorizer.authorization(scope, request.access);
    let response = await this.#send(scope, request, used);
    if (response.status === 401 && (await this.#authorizer.learn(scope, response, request.access, used))) {
      await response[Symbol.asyncDispose]();
      used = await this.#authorizer.authorization(scope, request.access);
      response = await this.#send(scope, request, used);
    }
    this.#warn(scope, response);
    this.#tellLimit(scope, response, used !== undefined);
    if (request.expect.includes(response.status)) return response;
    const user = used?.startsWith("Bearer ") === true ? await this.#authorizer.user(scope, request.access) : undefined;
    throw await responseError(request.op, request.subject, response, {
      host: this.domain,
      withPassword: used?.startsWith("Basic ") === true,
      ...(user === undefined ? {} : { user, needed: request.access.map(formatTokenScope) }),
    });
  }

  // One task's cancellation is no answer for the others.
  async #askOnce(scope: Scope, wanted: readonly TokenScope[]): Promise<void> {
    const asking = (this.#asking ??= this.#ask(scope, wanted));
    try {
      await asking;
    } catch (error) {
      if (this.#asking === asking) this.#asking = undefined;
      throw error;
    }
  }

  // As Docker and skopeo do. A registry that wants no credentials here gets none until it does.
  async #ask(scope: Scope, wanted: readonly TokenScope[]): Promise<void> {
    const request = {
      method: "GET",
      target: API_ROOT,
      access: [],
      expect: [],
      op: "ping registry",
      subject: this.domain,
    };
    await using response = await this.#send(scope, request, undefined);
    if (response.status === 401) await this.#authorizer.learn(scope, response, wanted, undefined);
  }

  #send(scope: Scope, request: RegistryRequest, authorization: string | undefined): Promise<HttpResponse> {
    const url = this.locate(request.target);
    // A location on another host was checked when it was taken over; nothing that was meant for this one is for it.
    const isOwn = url.origin === this.base.origin;
    return sendFollowing(scope, this.#options.transport, {
      method: request.method,
      url,
      headers: {
        ...(isOwn ? this.#place.headers : {}),
        ...request.headers,
        ...(isOwn && authorization !== undefined ? { authorization } : {}),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  }

  // Before it is too late, and once: a build of many images can still be given a login or a mirror.
  #tellLimit(scope: Scope, response: HttpResponse, isKnown: boolean): void {
    const limit = response.url.origin === this.base.origin ? rateLimitOf(response) : null;
    if (limit === null || !isScarce(limit) || this.#toldLimit) return;
    this.#toldLimit = true;
    const advice = isKnown ? "" : "; logging in may give more";
    scope.log.warn(`${this.domain}: ${rateLimitText(limit)}${advice}`);
  }

  #warn(scope: Scope, response: HttpResponse): void {
    if (new URL(response.url).origin !== this.base.origin) return;
    for (const text of parseWarnings(response.headerValues("warning"))) {
      if (this.#options.warned.has(text) || this.#options.warned.size >= 100) continue;
      this.#options.warned.add(text);
      scope.log.warn(`${this.domain}: ${text}`);
    }
  }
}

/** Where the registry of a domain is. */
export function hostOf(domain: string): string {
  return domain === HUB ? HUB_HOST : domain;
}

// A server that knows no TLS answers rubbish, hangs up, says nothing or listens elsewhere. A certificate that is no good is none of these.
async function speaksTls(scope: Scope, transport: HttpTransport, url: URL): Promise<boolean> {
  try {
    await using _ = await transport.send(scope, { method: "GET", url: new URL(API_ROOT, url), headers: {} });
    return true;
  } catch (error) {
    const isMissing = isTeuError(error, "unavailable") || isTeuError(error, "timeout");
    if (isMissing && !scope.signal.aborted) return false;
    throw error;
  }
}

async function speaksPlain(scope: Scope, transport: HttpTransport, url: URL): Promise<boolean> {
  try {
    await using response = await transport.send(scope, { method: "GET", url: new URL(API_ROOT, url), headers: {} });
    // Servers that want TLS answer 400 to plain requests, or send them there.
    return response.status !== 400 && !(response.status >= 300 && response.status < 400);
  } catch (error) {
    // Without a port TLS is at another one than plain HTTP.
    const refused = isTeuError(error) && error.detail["errno"] === "ECONNREFUSED" && url.port !== "";
    if (refused || scope.signal.aborted) throw error;
    return false;
  }
}
