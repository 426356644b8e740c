// Bearer tokens: of the registry's own token server, and of others whose keys are trusted.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Caller } from "@teu/distribution/server/access";
import type { TokenScope } from "@teu/distribution/wire/token-scope";

import type { Identified, Identifier } from "./identify.ts";
import type { JwksSource } from "./jwks.ts";
import { type Claims, namedKey, verifyJwt } from "./jwt.ts";
import type { TokenServer } from "./token-server.ts";

/** Somebody else whose tokens are taken. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: readonly JwksSource[];
  /** Whether the token's `access` is what its owner may do; else it says only who it is, and the rules decide. */
  readonly decides: boolean;
}

interface Verified {
  readonly claims: Claims;
  readonly until: number;
}

const REFUSED: Identified = { kind: "refused" };
const MOST_REMEMBERED = 2000;

/** Reads and verifies tokens. */
export class TokenIdentifier implements Identifier {
  readonly #own: TokenServer | undefined;
  readonly #trusted: readonly TrustedIssuer[];
  // Clients send the same token with every request of a pull.
  readonly #verified: Map<string, Verified> = new Map();

  constructor(own: TokenServer | undefined, trusted: readonly TrustedIssuer[]) {
    this.#own = own;
    this.#trusted = trusted;
  }

  identify(scope: Scope, { headers }: Caller): Promise<Identified> | undefined {
    const token = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
    return token === undefined ? undefined : this.#identify(scope, token);
  }

  async #identify(scope: Scope, token: string): Promise<Identified> {
    try {
      const own = this.#own === undefined ? null : await this.#own.identify(scope, token);
      if (own !== null) return own;
      for (const issuer of this.#trusted) {
        const identified = await this.#byIssuer(scope, token, issuer);
        if (identified !== null) return identified;
      }
      return REFUSED;
    } catch (error) {
      if (isTeuError(error, "denied")) return REFUSED;
      throw error;
    }
  }

  async #byIssuer(scope: Scope, token: string, trusted: TrustedIssuer): Promise<Identified | null> {
    const key = `${trusted.issuer}\n${trusted.audience}\n${token}`;
    const known = this.#verified.get(key);
    const claims =
      known !== undefined && known.until > scope.now() ? known.claims : await this.#verify(scope, token, trusted);
    if (claims === null) return null;
    if (claims !== known?.claims) this.#remember(scope, key, claims);
    return personOf(claims, trusted.decides);
  }

  async #verify(scope: Scope, token: string, { issuer, audience, keys }: TrustedIssuer): Promise<Claims | null> {
    const kid = namedKey(token);
    const sets = await Promise.all(keys.map((source) => source.keys(scope, kid)));
    try {
      return verifyJwt(token, sets.flat(), { issuer, audience, now: scope.now() });
    } catch (error) {
      if (isTeuError(error, "denied")) return null;
      throw error;
    }
  }

  // For a minute at most: a key that is taken out of its set is to be out soon.
  #remember(scope: Scope, key: string, claims: Claims): void {
    const [oldest] = this.#verified.keys();
    if (oldest !== undefined && this.#verified.size >= MOST_REMEMBERED) this.#verified.delete(oldest);
    const end = (claims["exp"] as number) * 1000;
    this.#verified.set(key, { claims, until: Math.min(end, scope.now() + 60_000) });
  }
}

function personOf(claims: Claims, decides: boolean): Identified {
  const { sub, groups } = claims;
  const name = typeof sub === "string" && sub !== "" ? sub : null;
  const list = Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : [];
  const access = accessOf(claims);
  // Whoever is only told who it is, and is not told that, knows nobody.
  if (!decides && name === null) return REFUSED;
  return { kind: "person", person: { name, groups: list }, ...(decides ? { token: { access, decides } } : {}) };
}

/** A token's `access`. What is malformed gives no right. */
export function accessOf(claims: Claims): readonly TokenScope[] {
  const { access } = claims;
  if (!Array.isArray(access)) return [];
  return access.flatMap((entry: unknown): TokenScope[] => {
    const { type, name, actions } = (entry ?? {}) as Partial<Record<string, unknown>>;
    const fits = typeof type === "string" && typeof name === "string" && Array.isArray(actions);
    return fits ? [{ type, name, actions: actions.filter((action) => typeof action === "string") }] : [];
  });
}
