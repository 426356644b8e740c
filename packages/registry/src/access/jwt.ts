// JSON web tokens (RFC 7519, 7515) as registries use them: compact form, RS256, ES256 or EdDSA, keys that are known beforehand.
// A key that a token brings along says nothing about who signed it: such tokens are refused (CVE-2025-24976), as is "none".

import { createPublicKey, createPrivateKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto";
import { TeuError } from "@teu/base/errors";
import { decodeUtf8 } from "@teu/base/utf8";
import { parseJson } from "@teu/specs/json";

/** The algorithms that are taken. */
export type JwtAlgorithm = "RS256" | "ES256" | "EdDSA";

/** A public key. */
export interface VerificationKey {
  /** Absent: it verifies tokens that name no key, and those only when no key has the name. */
  readonly kid?: string;
  readonly algorithm: JwtAlgorithm;
  readonly key: KeyObject;
}

/** A private key. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: JwtAlgorithm;
  readonly key: KeyObject;
}

/** A token's contents. */
export type Claims = Readonly<Record<string, unknown>>;

/** What a token must say. */
export interface JwtExpectation {
  readonly issuer: string;
  readonly audience: string;
  /** The header's `typ`; absent: any. */
  readonly type?: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** How far clocks may be apart, seconds. */
const SKEW = 30;
const LONGEST = 16_384;
/** Headers with which a token brings its key along, or where to get it. */
const EMBEDDED = ["jwk", "jku", "x5c", "x5u"];

/** Makes a token. */
export function signJwt({ kid, algorithm, key }: SigningKey, claims: Claims, type: string = "JWT"): string {
  const body = `${encode({ typ: type, alg: algorithm, kid })}.${encode(claims)}`;
  const signature = sign(HASH[algorithm], Buffer.from(body), { key, dsaEncoding: "ieee-p1363" });
  return `${body}.${signature.toString("base64url")}`;
}

/** The key that a token names; null when it names none. Nothing of it is verified. @throws TeuError `denied`. */
export function namedKey(token: string): string | null {
  const { kid } = takeApart(token).header;
  return typeof kid === "string" ? kid : null;
}

/** A token's claims, when one of the keys signed it and it is meant for us and for now. @throws TeuError `denied`, with the reason. */
export function verifyJwt(token: string, keys: readonly VerificationKey[], expected: JwtExpectation): Claims {
  const { header, claims, body, signature } = takeApart(token);
  if (EMBEDDED.some((name) => name in header)) throw refused("it brings a key along");
  if ("crit" in header) throw refused("it has critical headers");
  if (expected.type !== undefined && header["typ"] !== expected.type) throw refused("it is of another type");
  const { alg, kid } = header;
  const candidates = keys.filter((key) => key.algorithm === alg && (kid === undefined || key.kid === kid));
  const signed = candidates.some(({ algorithm, key }) =>
    verify(HASH[algorithm], body, { key, dsaEncoding: "ieee-p1363" }, signature),
  );
  if (!signed) throw refused("no key that is trusted signed it");
  checkClaims(claims, expected);
  return claims;
}

function checkClaims({ iss, aud, exp, nbf, iat }: Claims, { issuer, audience, now }: JwtExpectation): void {
  const seconds = now / 1000;
  if (iss !== issuer) throw refused("it is of another issuer");
  if (aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) throw refused("it is for somebody else");
  if (typeof exp !== "number" || !(exp > seconds - SKEW)) throw refused("it has ended");
  for (const from of [nbf, iat])
    if (from !== undefined && !(typeof from === "number" && from <= seconds + SKEW))
      throw refused("it is not valid yet");
}

const HASH: Readonly<Record<JwtAlgorithm, string | null>> = { RS256: "sha256", ES256: "sha256", EdDSA: null };

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function takeApart(token: string): { header: Claims; claims: Claims; body: Buffer; signature: Buffer } {
  const parts = token.length > LONGEST ? [] : token.split(".");
  const [header = "", claims = "", signature = ""] = parts;
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) throw refused("it is no JWT");
  return {
    header: decoded(header),
    claims: decoded(claims),
    body: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, "base64url"),
  };
}

function decoded(part: string): Claims {
  let value: unknown;
  try {
    // Keys that are there twice would be read as another one by somebody else.
    value = parseJson(decodeUtf8(Buffer.from(part, "base64url")), { document: "token", maxLength: LONGEST });
  } catch {
    throw refused("it is no JWT");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refused("it is no JWT");
  return value as Claims;
}

function refused(message: string): TeuError {
  return new TeuError({ code: "denied", op: "verify token", message });
}

/** A private key in PEM, with the name of its public half (RFC 7638). @throws TeuError `invalid` for kinds that are not taken. */
export function signingKey(pem: string, thumbprint: (jwk: JsonWebKey) => string): SigningKey {
  const key = createPrivateKey(pem);
  const jwk = createPublicKey(key).export({ format: "jwk" });
  return { kid: thumbprint(jwk), algorithm: algorithmOf(jwk), key };
}

/** A public key of a key set; null for one that is for something else. @throws TeuError `invalid` for one that is not safe. */
export function keyOfJwk(jwk: JsonWebKey): VerificationKey | null {
  const { kid, use } = jwk;
  if (use !== undefined && use !== "sig") return null;
  const algorithm = algorithmOf(jwk);
  if (jwk["alg"] !== undefined && jwk["alg"] !== algorithm) return null;
  const key = createPublicKey({ key: jwk, format: "jwk" });
  return { algorithm, key, ...(typeof kid === "string" ? { kid } : {}) };
}

function algorithmOf({ kty, crv, n }: JsonWebKey): JwtAlgorithm {
  if (kty === "EC" && crv === "P-256") return "ES256";
  if (kty === "OKP" && crv === "Ed25519") return "EdDSA";
  if (kty === "RSA" && Buffer.from(n ?? "", "base64url").length >= 256) return "RS256";
  throw new TeuError({
    code: "invalid",
    op: "read key",
    message: "want RSA of 2048 bits or more, EC P-256 or Ed25519",
  });
}
