// Puts the registry's access together from what the configuration says, and puts it together anew while it serves. Users stay
// as long as their file is the same one, so that who is logged in stays so.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { formatChallenge } from "@teu/distribution/wire/challenge";

import { type ImmutableRule, RightsRules, type RightsRule } from "../rights/rights-rules.ts";
import type { AttemptLimitOptions } from "./attempt-limits.ts";
import { BasicIdentifier } from "./basic-identifier.ts";
import { callerAddress } from "./caller-address.ts";
import { defaultRules } from "./default-rules.ts";
import { GuardedAccess, type GuardSettings } from "./guarded-access.ts";
import type { Identifier } from "./identify.ts";
import { PasswordUsers } from "./password-users.ts";
import { type RequestLimitOptions, RequestLimits } from "./request-limits.ts";

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
  /** Reverse proxies whose X-Forwarded-For counts: addresses or networks. */
  readonly trustedProxies?: readonly string[];
}

const BASIC = formatChallenge("Basic", { realm: "teu registry" }) + ', charset="UTF-8"';

/** See the head of this file. */
export class AccessDesk implements AsyncDisposable {
  readonly access: GuardedAccess;
  #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.access = new GuardedAccess(parts.settings);
  }

  /** @throws TeuError as `PasswordUsers.open`, `invalid` for what does not go together. */
  static async open(scope: Scope, options: AccessOptions): Promise<AccessDesk> {
    return new AccessDesk(await makeParts(scope, options, undefined));
  }

  /** Goes by other options from now on, or by the old ones when they cannot be used. @throws TeuError as `open`. */
  async configure(scope: Scope, options: AccessOptions): Promise<void> {
    const before = this.#parts;
    this.#parts = await makeParts(scope, options, before);
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
}

async function makeParts(scope: Scope, options: AccessOptions, before: Parts | undefined): Promise<Parts> {
  const { htpasswd, attempts, anonymousPull = false, immutable = [], groups, requests = {} } = options;
  if (options.rules !== undefined && anonymousPull)
    throw new TeuError({ code: "invalid", op: "open registry", message: "anonymousPull and rules exclude each other" });
  const addressOf = callerAddress(options.trustedProxies);
  const usersKey = JSON.stringify([htpasswd, attempts]);
  const users = await usersOf(scope, options, usersKey, before);
  const identifiers: Identifier[] = users === undefined ? [] : [new BasicIdentifier(users)];
  const rules =
    options.rules === undefined
      ? defaultRules({ login: identifiers.length > 0, anonymousPull, immutable })
      : new RightsRules({ rules: options.rules, immutable, ...(groups === undefined ? {} : { groups }) });
  const limits = new RequestLimits(requests);
  return { users, usersKey, settings: { rules, identifiers, addressOf, limits, challenge: () => BASIC } };
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
