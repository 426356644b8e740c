// The registry's own token server (distribution's token specification: GET with Basic, POST as OAuth2): the same users, the same
// rules. A token holds what was asked for as far as it is allowed, and never gives more than the rules do when it is used: a right
// that was taken away, a user who is gone and a password that was changed end it at once.

import type { IncomingMessage, ServerResponse } from "node:http";
import { randomUUID } from "node:crypto";
import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { parseTokenScope, type TokenScope } from "@teu/distribution/wire/token-scope";

import type { Person, RightsRules } from "../rights/rights-rules.ts";
import { type Identified, isAnonymous, readBasic } from "./identify.ts";
import { type Claims, verifyJwt, signJwt } from "./jwt.ts";
import type { KeyRing } from "./key-ring.ts";
import type { PasswordUsers } from "./password-users.ts";
import type { RequestLimits } from "./request-limits.ts";
import { accessOf } from "./token-identifier.ts";

/** What the token server is told. Milliseconds. */
export interface TokenServerSettings {
  /** Who issues: also the audience of refresh tokens. */
  readonly issuer: string;
  /** The registry, as its challenges name it. */
  readonly service: string;
  /** How long a token lasts; at least a minute, which clients take for granted. */
  readonly lifetime: number;
  readonly refreshLifetime: number;
  readonly keys: KeyRing;
  readonly users: PasswordUsers;
  readonly rules: RightsRules;
  readonly limits: RequestLimits;
  readonly addressOf: (request: IncomingMessage) => string;
}

/** What a client asks for. */
interface TokenRequest {
  readonly service: string | null;
  readonly scopes: readonly string[];
  readonly offline: boolean;
}

type Grant =
  | { readonly kind: "person"; readonly name: string | null; readonly refreshToken?: string }
  | { readonly kind: "refused" }
  | { readonly kind: "wait"; readonly retryAfter: number };

const ACCESS = "JWT";
const REFRESH = "refresh+jwt";
const FORM_LIMIT = 65_536;
/** Milliseconds that a form may take. */
const FORM_PATIENCE = 30_000;
/** Scopes of one token. */
const MOST_SCOPES = 100;

/** See the head of this file. */
export class TokenServer {
  readonly settings: TokenServerSettings;

  constructor(settings: TokenServerSettings) {
    this.settings = settings;
  }

  /** Answers a request for a token; the name of who asked, or said to be. */
  async handle(scope: Scope, request: IncomingMessage, response: ServerResponse): Promise<string | null> {
    const { limits, addressOf } = this.settings;
    const retryAfter = limits.address(scope.now(), () => addressOf(request));
    if (retryAfter > 0) {
      refuse(response, 429, "TOOMANYREQUESTS", "too many requests", { "retry-after": String(retryAfter) });
      return null;
    }
    if (request.method === "GET") return this.#get(scope, request, response);
    if (request.method === "POST") return this.#post(scope, request, response);
    refuse(response, 405, "UNSUPPORTED", "GET or POST", { allow: "GET, POST" });
    return null;
  }

  /** Who a token of ours stands for; null when it is none of ours. @throws TeuError `denied` for what is ours and of no use. */
  async identify(scope: Scope, token: string): Promise<Identified | null> {
    const { service, users } = this.settings;
    let claims: Claims;
    try {
      claims = this.#verify(scope, token, service, ACCESS);
    } catch (error) {
      if (isTeuError(error, "denied")) return null;
      throw error;
    }
    const { sub, stamp } = claims;
    const name = typeof sub === "string" && sub !== "" ? sub : null;
    if (name !== null && (await users.stamp(scope, name)) !== stamp) return { kind: "refused", name };
    return { kind: "person", person: { name }, token: { access: accessOf(claims), decides: false } };
  }

  async #get(scope: Scope, request: IncomingMessage, response: ServerResponse): Promise<string | null> {
    const query = new URL(request.url ?? "/", "http://registry").searchParams;
    const header = request.headers.authorization;
    const given = readBasic(header);
    const grant: Grant =
      given === null
        ? isAnonymous(header)
          ? { kind: "person", name: null }
          : { kind: "refused" }
        : await this.#login(scope, request, given.user, given.password);
    await this.#answer(scope, response, grant, {
      service: query.get("service"),
      scopes: query.getAll("scope").flatMap((text) => text.split(" ")),
      offline: query.get("offline_token") === "true",
    });
    return grant.kind === "person" ? grant.name : (given?.user ?? null);
  }

  async #post(scope: Scope, request: IncomingMessage, response: ServerResponse): Promise<string | null> {
    const form = await readForm(request);
    if (form === null) {
      refuse(response, 400, "UNSUPPORTED", "want a form, application/x-www-form-urlencoded");
      return null;
    }
    const text = (name: string): string => form.get(name) ?? "";
    let grant: Grant;
    if (text("grant_type") === "password") {
      grant = await this.#login(scope, request, text("username"), text("password"));
    } else if (text("grant_type") === "refresh_token") {
      grant = await this.#refresh(scope, text("refresh_token"));
    } else {
      refuse(response, 400, "UNSUPPORTED", "grant_type is password or refresh_token");
      return null;
    }
    await this.#answer(scope, response, grant, {
      service: form.get("service"),
      scopes: form.getAll("scope").flatMap((scopes) => scopes.split(" ")),
      offline: text("access_type") === "offline",
    });
    return grant.kind === "person" ? grant.name : form.get("username");
  }

  async #login(scope: Scope, request: IncomingMessage, user: string, password: string): Promise<Grant> {
    // Docker's way to say "this is a refresh token" where only a password fits.
    if (user === "<token>") return this.#refresh(scope, password);
    const { users, addressOf } = this.settings;
    const outcome = await users.login(scope, { user, password, address: addressOf(request) });
    if (outcome.kind === "right") return { kind: "person", name: user };
    return outcome.kind === "wrong" ? { kind: "refused" } : outcome;
  }

  async #refresh(scope: Scope, token: string): Promise<Grant> {
    const { issuer, users } = this.settings;
    try {
      const { sub, stamp } = this.#verify(scope, token, issuer, REFRESH);
      const isCurrent =
        typeof sub === "string" && typeof stamp === "string" && (await users.stamp(scope, sub)) === stamp;
      return isCurrent ? { kind: "person", name: sub, refreshToken: token } : { kind: "refused" };
    } catch (error) {
      if (isTeuError(error, "denied")) return { kind: "refused" };
      throw error;
    }
  }

  async #answer(scope: Scope, response: ServerResponse, grant: Grant, wanted: TokenRequest): Promise<void> {
    const { issuer, service, lifetime, refreshLifetime, users, rules, keys } = this.settings;
    if (grant.kind === "wait")
      return refuse(response, 429, "TOOMANYREQUESTS", "too many attempts", { "retry-after": String(grant.retryAfter) });
    if (grant.kind === "refused")
      return refuse(response, 401, "UNAUTHORIZED", "wrong credentials", { "www-authenticate": BASIC });
    if (wanted.service !== null && wanted.service !== "" && wanted.service !== service)
      return refuse(response, 400, "UNSUPPORTED", "no such service here");
    const { name } = grant;
    const stamp = name === null ? null : await users.stamp(scope, name);
    if (name !== null && stamp === null) return refuse(response, 401, "UNAUTHORIZED", "wrong credentials");
    const seconds = Math.floor(scope.now() / 1000);
    const signer = await keys.signer(scope);
    const common = { iss: issuer, sub: name ?? "", iat: seconds, nbf: seconds, jti: randomUUID(), stamp };
    const expires = Math.floor(lifetime / 1000);
    const access = granted({ name }, rules, wanted.scopes);
    const token = signJwt(signer, { ...common, aud: service, exp: seconds + expires, access }, ACCESS);
    const refresh =
      name === null || !wanted.offline
        ? grant.refreshToken
        : signJwt(signer, { ...common, aud: issuer, exp: seconds + Math.floor(refreshLifetime / 1000) }, REFRESH);
    send(response, 200, {
      token,
      access_token: token,
      expires_in: expires,
      issued_at: new Date(seconds * 1000).toISOString(),
      ...(refresh === undefined ? {} : { refresh_token: refresh }),
      // What OAuth2 wants of a POST's answer.
      scope: access.map(({ type, name: of, actions }) => `${type}:${of}:${actions.join(",")}`).join(" "),
    });
  }

  #verify(scope: Scope, token: string, audience: string, type: string): Claims {
    const { issuer, keys } = this.settings;
    return verifyJwt(token, keys.verifiers, { issuer, audience, type, now: scope.now() });
  }
}

const BASIC = 'Basic realm="teu registry", charset="UTF-8"';

/** What of the wanted scopes is allowed. Equal names are one entry. */
function granted(person: Person, rules: RightsRules, texts: readonly string[]): TokenScope[] {
  const actions = new Map<string, { type: string; name: string; actions: Set<string> }>();
  for (const text of new Set(texts.slice(0, MOST_SCOPES))) {
    const scope = parseTokenScope(text);
    if (scope === null) continue;
    const { type, name } = scope;
    const key = `${type}:${name}`;
    const entry = actions.get(key) ?? { type, name, actions: new Set<string>() };
    for (const action of allowed(person, rules, scope)) entry.actions.add(action);
    if (entry.actions.size > 0) actions.set(key, entry);
  }
  return [...actions.values()].map((entry) => ({ ...entry, actions: [...entry.actions].sort() }));
}

function allowed(person: Person, rules: RightsRules, { type, name, actions }: TokenScope): string[] {
  if (type === "registry" && name === "catalog")
    return (person.name !== null || rules.anonymousMay("catalog")) && actions.includes("*") ? ["*"] : [];
  if (type !== "repository") return [];
  const rights = rules.rightsOf(person, name);
  const held = [
    ...(rights.has("read") ? ["pull"] : []),
    ...(rights.has("create") || rights.has("update") ? ["push"] : []),
    ...(rights.has("delete") ? ["delete"] : []),
  ];
  return actions.includes("*") ? held : held.filter((action) => actions.includes(action));
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | null> {
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(request.headers["content-type"] ?? "")) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  const patience = setTimeout(() => request.destroy(), FORM_PATIENCE);
  using _ = { [Symbol.dispose]: () => clearTimeout(patience) };
  // Who stops in the middle still wants to answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > FORM_LIMIT) return null;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  send(response, status, { errors: [{ code, message }] }, headers);
}

function send(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify(value));
  // Tokens are in nobody's cache.
  const common = { "content-type": "application/json", "content-length": body.length, "cache-control": "no-store" };
  response.writeHead(status, { ...common, ...headers });
  response.end(body);
}
