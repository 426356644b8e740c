// Gets bearer tokens from a registry's token server: OAuth2 by POST where there is something to log in with, else (or when the
// server does not know POST) the older GET form. Which token is needed when is the authoriser's business.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

import type { LoginCredential } from "./credentials.ts";
import type { HttpRequest, HttpResponse, HttpTransport } from "./http-transport.ts";
import { resolveTarget, sendFollowing } from "./redirects.ts";
import { readLimited, responseError } from "./response-error.ts";

/** What a token is asked for. */
export interface TokenRequest {
  /** The registry that sent the challenge. */
  readonly registry: URL;
  readonly realm: string;
  readonly service: string | undefined;
  /** Texts of the scopes. */
  readonly scopes: readonly string[];
  readonly credential: LoginCredential | null;
  /** A refresh token is wanted that outlives this process. */
  readonly offline?: boolean;
}

/** A token and how long it lasts. */
export interface BearerToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Gets further tokens instead of the password. */
  readonly refreshToken?: string;
}

const CLIENT_ID = "teu";
const ANSWER_LIMIT = 1 << 20;
/** How servers answer that do not know the POST form. */
const UNKNOWN_FORM: ReadonlySet<number> = new Set([301, 302, 303, 307, 308, 400, 401, 404, 405]);
/** Longest refresh token. It may be kept with everybody else's credentials, which a hostile one must not make unreadable. */
const LONGEST_REFRESH = 16 << 10;
/** What the spec of tokens says when the server says nothing; also the least. */
const LEAST_SECONDS = 60;

/** @throws TeuError `denied` when credentials are wrong or the realm is not to be trusted, `invalid` for a senseless answer. */
export async function fetchToken(scope: Scope, transport: HttpTransport, request: TokenRequest): Promise<BearerToken> {
  // The same rules as for redirects: credentials never leave TLS, and nobody outside sends us to this machine.
  const realm = resolveTarget(request.registry, request.realm);
  const { credential, registry } = request;
  const login = { host: registry.host, withPassword: credential !== null && "username" in credential };
  if (credential !== null) {
    const response = await transport.send(scope, postForm(realm, request, credential));
    if (response.status === 200) return readToken(scope, realm, response);
    // A redirect, too: a password is not taken along to wherever that leads.
    const unknownForm = UNKNOWN_FORM.has(response.status) && !("identityToken" in credential);
    if (!unknownForm) throw await responseError("log in", realm.host, response, login);
    await response[Symbol.asyncDispose]();
  }
  // To another origin without the password.
  const response = await sendFollowing(scope, transport, getForm(realm, request, credential));
  if (response.status !== 200) throw await responseError("get token", realm.host, response, login);
  return readToken(scope, realm, response);
}

function postForm(realm: URL, { service, scopes }: TokenRequest, credential: LoginCredential): HttpRequest {
  const form = new URLSearchParams({ client_id: CLIENT_ID, access_type: "offline", scope: scopes.join(" ") });
  if (service !== undefined) form.set("service", service);
  if ("identityToken" in credential) {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", credential.identityToken);
  } else {
    form.set("grant_type", "password");
    form.set("username", credential.username);
    form.set("password", credential.password);
  }
  const content = Buffer.from(form.toString());
  return {
    method: "POST",
    url: realm,
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: {
      size: content.length,
      async *open() {
        yield content;
      },
    },
  };
}

function getForm(realm: URL, request: TokenRequest, credential: LoginCredential | null): HttpRequest {
  const { service, scopes, offline } = request;
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  url.searchParams.set("client_id", CLIENT_ID);
  if (offline === true) url.searchParams.set("offline_token", "true");
  const basic: Record<string, string> =
    credential !== null && "username" in credential ? { authorization: basicAuthorization(credential) } : {};
  if (credential !== null && "username" in credential) url.searchParams.set("account", credential.username);
  return { method: "GET", url, headers: { accept: "application/json", ...basic } };
}

/** The Authorization text of a user name and password. */
export function basicAuthorization(credential: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`, "utf8").toString("base64")}`;
}

async function readToken(scope: Scope, realm: URL, response: HttpResponse): Promise<BearerToken> {
  const bytes = await readLimited("get token", response, ANSWER_LIMIT);
  const answer = parsedAnswer(realm, bytes);
  const token = [answer["token"], answer["access_token"]].find((value) => typeof value === "string" && value !== "");
  // Anything else would end the header that it goes into.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw senseless(realm);
  const seconds = typeof answer["expires_in"] === "number" ? answer["expires_in"] : LEAST_SECONDS;
  const refresh = answer["refresh_token"];
  return {
    token,
    expiresAt: scope.now() + Math.max(seconds, LEAST_SECONDS) * 1000,
    ...(isRefreshToken(refresh) ? { refreshToken: refresh } : {}),
  };
}

/** RFC 6749, appendix A.17, and short enough. */
function isRefreshToken(value: unknown): value is string {
  return typeof value === "string" && value.length <= LONGEST_REFRESH && /^[\x20-\x7e]+$/.test(value);
}

function parsedAnswer(realm: URL, bytes: Uint8Array): Record<string, unknown> {
  try {
    const value = parseJson(decodeUtf8(bytes), { document: "token", maxLength: ANSWER_LIMIT });
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!isTeuError(error, "invalid")) throw error;
  }
  throw senseless(realm);
}

function senseless(realm: URL): TeuError {
  return new TeuError({
    code: "invalid",
    op: "get token",
    subject: realm.host,
    message: "the token server's answer holds no token",
  });
}
