// Knows for one registry how to authorise requests: nothing, Basic, or Bearer tokens, learnt from its challenges.
// Tokens are kept per realm, service and scope until shortly before they expire; the same token is fetched once by many tasks.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { type Challenge, parseChallenges } from "../wire/challenge.ts";
import { formatTokenScope, parseTokenScope, type TokenScope } from "../wire/token-scope.ts";
import type { Credential, CredentialSource, LoginCredential } from "./credentials.ts";
import type { HttpResponse, HttpTransport } from "./http-transport.ts";
import { resolveTarget } from "./redirects.ts";
import { type BearerToken, basicAuthorization, fetchToken, type TokenRequest } from "./token-client.ts";

/** Renewed this long before it ends. */
const MARGIN = 10_000;

/** Authorises requests to one registry. */
export class Authorizer {
  readonly #domain: string;
  readonly #registry: URL;
  readonly #transport: HttpTransport;
  readonly #credentials: CredentialSource;
  readonly #tokens: Map<string, Promise<BearerToken>> = new Map();
  readonly #found: Map<string, Promise<Credential | null>> = new Map();
  readonly #refreshTokens: Map<string, string> = new Map();
  #challenge: Challenge | undefined;

  /** `domain` is what credentials are filed under, `registry` where requests go. */
  constructor(domain: string, registry: URL, transport: HttpTransport, credentials: CredentialSource) {
    this.#domain = domain;
    this.#registry = registry;
    this.#transport = transport;
    this.#credentials = credentials;
  }

  /**
   * Whether the registry should be asked for its challenge before a request: there are credentials, and it has not said yet how it
   * takes them. A registry that shows something to everybody would never ask for them, and show less.
   */
  async lacksChallenge(scope: Scope, wanted: readonly TokenScope[]): Promise<boolean> {
    if (this.#challenge !== undefined) return false;
    try {
      return (await this.#credential(scope, wanted)) !== null;
    } catch (error) {
      // Told when the registry wants them; what is open to everybody needs none.
      if (isTeuError(error) && !scope.signal.aborted) return false;
      throw error;
    }
  }

  /** The Authorization header for a request, from what was learnt so far; undefined for none. */
  async authorization(scope: Scope, wanted: readonly TokenScope[]): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const credential = await this.#credential(scope, wanted);
    if (credential !== null && "registryToken" in credential) return bearerHeader(credential.registryToken);
    if (challenge.scheme === "basic")
      return credential !== null && "username" in credential ? basicAuthorization(credential) : undefined;
    const { token } = await this.#token(scope, challenge, wanted, credential);
    return bearerHeader(token);
  }

  /**
   * Learns from a 401 answer; true when the request is worth another try. `used`: the header it was refused with.
   */
  async learn(
    scope: Scope,
    response: HttpResponse,
    wanted: readonly TokenScope[],
    used: string | undefined,
  ): Promise<boolean> {
    const challenges = parseChallenges(response.headerValues("www-authenticate"));
    const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
    const challenge = bearer ?? challenges.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    const credential = await this.#credential(scope, wanted);
    // There is no other token where that came from.
    if (credential !== null && "registryToken" in credential) return used !== bearerHeader(credential.registryToken);
    if (challenge.scheme === "basic") {
      return credential !== null && "username" in credential && used !== basicAuthorization(credential);
    }
    // A token that was refused is of no more use: it was revoked, or ended while the request was on its way.
    const key = tokenKey(challenge, wanted);
    const held = await this.#tokens.get(key)?.catch(() => undefined);
    if (held !== undefined && used === bearerHeader(held.token)) this.#tokens.delete(key);
    return true;
  }

  /** Who tokens are asked for: a name, null for somebody without one, undefined for nobody. */
  async user(scope: Scope, wanted: readonly TokenScope[]): Promise<string | null | undefined> {
    const credential = await this.#credential(scope, wanted);
    if (credential === null) return undefined;
    return "username" in credential ? credential.username : null;
  }

  /** What the token server gave to be kept in place of the password; null for nothing. */
  get identityToken(): string | null {
    if (this.#challenge === undefined) return null;
    const { parameters } = this.#challenge;
    return this.#refreshTokens.get(serverKey(parameters.get("realm"), parameters.get("service"))) ?? null;
  }

  async #token(
    scope: Scope,
    challenge: Challenge,
    wanted: readonly TokenScope[],
    credential: LoginCredential | null,
  ): Promise<BearerToken> {
    const key = tokenKey(challenge, wanted);
    const held = this.#tokens.get(key);
    if (held !== undefined) {
      const token = await held.catch(() => null);
      if (token !== null && token.expiresAt - MARGIN > scope.now()) return token;
      if (this.#tokens.get(key) === held) this.#tokens.delete(key);
    }
    const pending =
      this.#tokens.get(key) ??
      this.#fetchToken(scope, {
        registry: this.#registry,
        realm: challenge.parameters.get("realm") ?? "",
        service: challenge.parameters.get("service"),
        scopes: scopesOf(challenge, wanted),
        credential,
        offline: this.#credentials.offline === true,
      });
    this.#tokens.set(key, pending);
    try {
      return await pending;
    } catch (error) {
      if (this.#tokens.get(key) === pending) this.#tokens.delete(key);
      throw error;
    }
  }

  // The password is sent once where the server gives something instead; an end of that is no end of the password.
  async #fetchToken(scope: Scope, given: TokenRequest): Promise<BearerToken> {
    const request = this.#bound(scope, given);
    const key = serverKey(request.realm, request.service);
    const refreshToken = this.#refreshTokens.get(key);
    const withPassword = request.credential !== null && "username" in request.credential;
    if (refreshToken !== undefined && withPassword) {
      try {
        return await fetchToken(scope, this.#transport, { ...request, credential: { identityToken: refreshToken } });
      } catch (error) {
        if (!isTeuError(error) || scope.signal.aborted) throw error;
        this.#refreshTokens.delete(key);
      }
    }
    const token = await fetchToken(scope, this.#transport, request);
    if (withPassword && token.refreshToken !== undefined) this.#refreshTokens.set(key, token.refreshToken);
    return token;
  }

  // Credentials stay where they are bound to; without them there may still be a token for everybody.
  #bound(scope: Scope, request: TokenRequest): TokenRequest {
    if (request.credential === null || this.#credentials.mayGoTo === undefined) return request;
    const realm = resolveTarget(this.#registry, request.realm);
    if (this.#credentials.mayGoTo(this.#domain, realm)) return request;
    scope.log.warn("credentials are not sent to this token server", { registry: this.#domain, realm: realm.host });
    return { ...request, credential: null };
  }

  #credential(scope: Scope, wanted: readonly TokenScope[]): Promise<Credential | null> {
    const repository = wanted.find(({ type }) => type === "repository")?.name ?? "";
    const held = this.#found.get(repository);
    if (held !== undefined) return held;
    const found = this.#credentials.find(scope, this.#domain, repository);
    this.#found.set(repository, found);
    // A failure is not remembered: it may have been one task's cancellation.
    found.catch(() => this.#found.delete(repository));
    return found;
  }
}

// What we want, and what the registry says it wants on top: names may differ behind a proxy.
function scopesOf(challenge: Challenge, wanted: readonly TokenScope[]): string[] {
  const asked = (challenge.parameters.get("scope") ?? "")
    .split(" ")
    .map(parseTokenScope)
    .filter((scope) => scope !== null);
  const merged = new Map<string, TokenScope>();
  for (const scope of [...wanted, ...asked]) {
    const key = `${scope.type}:${scope.name}`;
    merged.set(key, { ...scope, actions: [...(merged.get(key)?.actions ?? []), ...scope.actions] });
  }
  return [...merged.values()].map(formatTokenScope).sort();
}

function bearerHeader(token: string): string {
  return `Bearer ${token}`;
}

function serverKey(realm = "", service = ""): string {
  return `${realm} ${service}`;
}

function tokenKey(challenge: Challenge, wanted: readonly TokenScope[]): string {
  const { parameters } = challenge;
  return [parameters.get("realm"), parameters.get("service"), ...wanted.map(formatTokenScope).sort()].join(" ");
}
