// Puts the registry's access together from what the configuration says, and puts it together anew while it serves. Users stay
// as long as their file is the same one, so that who is logged in stays so.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";
import { formatChallenge } from "@teu/distribution/wire/challenge";

import { type ImmutableRule, RightsRules, type RightsRule } from "../rights/rights-rules.ts";
import type { AttemptLimitOptions } from "./attempt-limits.ts";
import { BasicIdentifier } from "./basic-identifier.ts";
import { callerAddress } from "./caller-address.ts";
import { CertificateIdentifier } from "./certificate-identifier.ts";
import { defaultRules } from "./default-rules.ts";
import { bearerChallenge } from "./bearer-challenge.ts";
import { GuardedAccess, type GuardSettings, type MakeChallenge } from "./guarded-access.ts";
import type { Identifier } from "./identify.ts";
import { JwksSource } from "./jwks.ts";
import { KeyRing } from "./key-ring.ts";
import { PasswordUsers } from "./password-users.ts";
import { type RequestLimitOptions, RequestLimits } from "./request-limits.ts";
import { TokenIdentifier, type TrustedIssuer } from "./token-identifier.ts";
import { TokenServer } from "./token-server.ts";

/** Who may do what. Everything may be absent: then everybody may do everything. */
export interface AccessOptions {
  /** File of users with bcrypt or argon2id hashes; read again when it changes. */
  readonly htpasswd?: string;
  /** Without `rules`, with users: anybody may pull. Default false. */
  readonly anonymousPull?: boolean;
  /** Who may do what where; absent: users everything, others nothing. */
  readonly rules?: readonly RightsRule[];
  /** Users by group. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  readonly immutable?: readonly ImmutableRule[];
  /** How wrong passwords slow further ones down. */
  readonly attempts?: Partial<AttemptLimitOptions>;
  readonly requests?: RequestLimitOptions;
  /** A token server of its own, for the users of `htpasswd`. */
  readonly tokens?: TokenOptions;
  /** Others whose tokens are taken. */
  readonly trustedTokens?: readonly TrustedTokenOptions[];
  /** Whether a client certificate says who somebody is. */
  readonly certificates?: boolean;
  /** Whether a repository is kept for another registry: nobody pushes to it. */
  readonly isProxied?: (repository: string) => boolean;
  /** Reverse proxies whose X-Forwarded-For counts: addresses or networks. */
  readonly trustedProxies?: readonly string[];
}

/** The registry's own token server. Milliseconds. */
export interface TokenOptions {
  /** The registry's name in challenges and tokens. Default "teu-registry". */
  readonly service?: string;
  /** Who issues. Default: the service. */
  readonly issuer?: string;
  /** URL of the token server as clients reach it. Default: /token of the host that they asked. */
  readonly realm?: string;
  /** Default five minutes; at least one. */
  readonly lifetime?: number;
  /** Of refresh tokens. Default 30 days. */
  readonly refreshLifetime?: number;
  /** When the next key signs. Default 30 days. */
  readonly rotation?: number;
}

/** Somebody else's tokens. */
export interface TrustedTokenOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Files or URLs of key sets. */
  readonly jwks: readonly string[];
  /** Whether the token's `access` is what its owner may do; else the rules say that. Default true. */
  readonly decides?: boolean;
  /** URL that clients get tokens from, when they are to be sent there. */
  readonly realm?: string;
}

/** Where the token server is. */
export const TOKEN_PATH = "/token";

const DAY = 86_400_000;
const BASIC = formatChallenge("Basic", { realm: "teu registry" }) + ', charset="UTF-8"';

/** See the head of this file. */
export class AccessDesk implements AsyncDisposable {
  readonly access: GuardedAccess;
  readonly #root: string | undefined;
  #parts: Parts;

  private constructor(parts: Parts, root: string | undefined) {
    this.#parts = parts;
    this.#root = root;
    this.access = new GuardedAccess(parts.settings);
  }

  /** @throws TeuError as `PasswordUsers.open`, `invalid` for what does not go together. */
  static async open(scope: Scope, options: AccessOptions, root?: string): Promise<AccessDesk> {
    return new AccessDesk(await makeParts(scope, options, root, undefined), root);
  }

  /** Answers requests for tokens; undefined when that is somebody else's. */
  get tokenServer(): TokenServer | undefined {
    return this.#parts.tokenServer;
  }

  /** Goes by other options from now on, or by the old ones when they cannot be used. @throws TeuError as `open`. */
  async configure(scope: Scope, options: AccessOptions): Promise<void> {
    const before = this.#parts;
    this.#parts = await makeParts(scope, options, this.#root, before);
    this.access.settings = this.#parts.settings;
    // Logins under way with the old file end with an error; their clients come again.
    if (before.users !== this.#parts.users) await before.users?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.users?.[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly settings: GuardSettings;
  readonly users: PasswordUsers | undefined;
  /** What the users were made from. */
  readonly usersKey: string;
  readonly tokenServer: TokenServer | undefined;
  readonly keysKey: string;
}

async function makeParts(
  scope: Scope,
  options: AccessOptions,
  root: string | undefined,
  before: Parts | undefined,
): Promise<Parts> {
  const { htpasswd, attempts, anonymousPull = false, immutable = [], groups, requests = {} } = options;
  if (options.rules !== undefined && anonymousPull)
    throw new TeuError({ code: "invalid", op: "open registry", message: "anonymousPull and rules exclude each other" });
  const addressOf = callerAddress(options.trustedProxies);
  const usersKey = JSON.stringify([htpasswd, attempts]);
  const users = await usersOf(scope, options, usersKey, before);
  const login = users !== undefined || (options.trustedTokens ?? []).length > 0 || options.certificates === true;
  const rules =
    options.rules === undefined
      ? defaultRules({ login, anonymousPull, immutable })
      : new RightsRules({ rules: options.rules, immutable, ...(groups === undefined ? {} : { groups }) });
  const keysKey = JSON.stringify(options.tokens ?? null);
  const limits = new RequestLimits(requests);
  const parts = { root, users, rules, addressOf, limits, keysKey, before };
  const tokenServer = await tokenServerOf(scope, options, parts);
  const trusted = await Promise.all((options.trustedTokens ?? []).map((one) => trustedIssuer(scope, one)));
  const identifiers: Identifier[] = [
    ...(tokenServer === undefined && trusted.length === 0 ? [] : [new TokenIdentifier(tokenServer, trusted)]),
    ...(users === undefined ? [] : [new BasicIdentifier(users)]),
    ...(options.certificates === true ? [new CertificateIdentifier()] : []),
  ];
  const challenge = challengeOf(options, tokenServer);
  const { isProxied = () => false } = options;
  const settings = { rules, identifiers, addressOf, limits, challenge, isProxied };
  return { users, usersKey, tokenServer, keysKey, settings };
}

function challengeOf(options: AccessOptions, tokenServer: TokenServer | undefined): MakeChallenge {
  const [foreign] = (options.trustedTokens ?? []).filter(({ realm }) => realm !== undefined);
  if (tokenServer !== undefined)
    return bearerChallenge({ service: tokenServer.settings.service, realm: options.tokens?.realm ?? TOKEN_PATH });
  return foreign === undefined
    ? () => BASIC
    : bearerChallenge({ service: foreign.audience, realm: foreign.realm ?? TOKEN_PATH });
}

interface TokenParts {
  readonly root: string | undefined;
  readonly users: PasswordUsers | undefined;
  readonly rules: RightsRules;
  readonly addressOf: (caller: Caller) => string;
  readonly limits: RequestLimits;
  readonly keysKey: string;
  readonly before: Parts | undefined;
}

async function tokenServerOf(
  scope: Scope,
  { tokens }: AccessOptions,
  { root, users, rules, addressOf, limits, keysKey, before }: TokenParts,
): Promise<TokenServer | undefined> {
  if (tokens === undefined) return undefined;
  if (users === undefined)
    throw new TeuError({ code: "invalid", op: "open registry", message: "tokens need users: give an htpasswd file" });
  const { service = "teu-registry", lifetime = 300_000, refreshLifetime = 30 * DAY, rotation = 30 * DAY } = tokens;
  const longestToken = Math.max(lifetime, refreshLifetime);
  const keys =
    before?.keysKey === keysKey && before.tokenServer !== undefined
      ? before.tokenServer.settings.keys
      : await KeyRing.open(scope, { rotation, longestToken, ...(root === undefined ? {} : { root }) });
  const issuer = tokens.issuer ?? service;
  const least = Math.max(60_000, lifetime);
  return new TokenServer({ issuer, service, lifetime: least, refreshLifetime, keys, users, rules, limits, addressOf });
}

async function trustedIssuer(scope: Scope, options: TrustedTokenOptions): Promise<TrustedIssuer> {
  const { issuer, audience, jwks, decides = true } = options;
  const keys = jwks.map((place) => new JwksSource(place));
  for (const source of keys) await source.open(scope);
  return { issuer, audience, keys, decides };
}

async function usersOf(
  scope: Scope,
  { htpasswd, attempts }: AccessOptions,
  key: string,
  before: Parts | undefined,
): Promise<PasswordUsers | undefined> {
  if (htpasswd === undefined) return undefined;
  return before?.usersKey === key && before.users !== undefined
    ? before.users
    : await PasswordUsers.open(scope, htpasswd, attempts);
}
