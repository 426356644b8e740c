// Scenario 21: what tokens can be tried with.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";

import { type Claims, keyOfJwk, type SigningKey, signingKey, signJwt, verifyJwt, type VerificationKey } from "./jwt.ts";
import { thumbprint } from "./key-ring.ts";
import { parseJwks } from "./jwks.ts";

const NOW = 1_700_000_000;
const CLAIMS: Claims = { iss: "us", aud: "registry", sub: "ann", iat: NOW, nbf: NOW, exp: NOW + 300 };
const EXPECTED = { issuer: "us", audience: "registry", now: NOW * 1000 };

function pair(kind: "ec" | "ed25519" | "rsa"): { signer: SigningKey; verifier: VerificationKey; jwk: object } {
  const { privateKey, publicKey } =
    kind === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ed25519");
  const signer = signingKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString(), thumbprint);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: signer.kid };
  return { signer, verifier: keyOfJwk(jwk) as VerificationKey, jwk };
}

const ours = pair("ec");
const foreign = pair("ec");

function part(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

function forged(header: object, key: SigningKey = foreign.signer, claims: unknown = CLAIMS): string {
  const body = `${part(header)}.${part(claims)}`;
  return `${body}.${sign("sha256", Buffer.from(body), { key: key.key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

function refused(token: string, message: RegExp = /./): void {
  assert.throws(() => verifyJwt(token, [ours.verifier], EXPECTED), { code: "denied", message }, token.slice(0, 200));
}

test("verifyJwt: takes RS256, ES256 and EdDSA of keys that are known", () => {
  for (const kind of ["ec", "rsa", "ed25519"] as const) {
    const { signer, verifier } = pair(kind);
    assert.deepEqual(verifyJwt(signJwt(signer, CLAIMS), [ours.verifier, verifier], EXPECTED), CLAIMS);
  }
  const { kid: _, ...nameless } = ours.verifier;
  assert.deepEqual(verifyJwt(forged({ alg: "ES256" }, ours.signer), [nameless], EXPECTED), CLAIMS, "no kid at all");
});

test("scenario 21, CVE-2025-24976: no algorithm, another one, and keys that a token brings along", () => {
  refused(`${part({ alg: "none" })}.${part(CLAIMS)}.`);
  refused(`${part({ alg: "none" })}.${part(CLAIMS)}.AAAA`);
  refused(`${part({ alg: "None", kid: ours.signer.kid })}.${part(CLAIMS)}.AAAA`);
  // The public key as a secret.
  const body = `${part({ alg: "HS256", kid: ours.signer.kid })}.${part(CLAIMS)}`;
  const pem = ours.verifier.key.export({ type: "spki", format: "pem" });
  refused(`${body}.${createHmac("sha256", pem).update(body).digest("base64url")}`);
  refused(forged({ alg: "ES256" }), /no key that is trusted/);
  refused(forged({ alg: "ES256", kid: ours.signer.kid }), /no key that is trusted/);
  refused(forged({ alg: "ES256", kid: ours.signer.kid, jwk: foreign.jwk }), /brings a key along/);
  refused(forged({ alg: "ES256", kid: ours.signer.kid, x5c: ["AAAA"] }), /brings a key along/);
  refused(forged({ alg: "ES256", jku: "http://evil.example" }), /brings a key along/);
  refused(forged({ alg: "ES256", kid: ours.signer.kid, crit: ["x"] }, ours.signer), /critical/);
  refused(forged({ alg: "RS256", kid: ours.signer.kid }, ours.signer), /no key that is trusted/);
  // A signature of zeros (CVE-2022-21449), and one in the other encoding.
  const [header, claims] = signJwt(ours.signer, CLAIMS).split(".");
  refused(`${header}.${claims}.${Buffer.alloc(64).toString("base64url")}`);
  const der = sign("sha256", Buffer.from(`${header}.${claims}`), ours.signer.key).toString("base64url");
  refused(`${header}.${claims}.${der}`);
});

test("scenario 21: issuer, audience and times, with half a minute between clocks", () => {
  const cases: readonly (readonly [change: Claims, taken: boolean])[] = [
    [{}, true],
    [{ iss: "others" }, false],
    [{ aud: "elsewhere" }, false],
    [{ aud: ["elsewhere", "registry"] }, true],
    [{ aud: undefined }, false],
    [{ exp: NOW - 29 }, true],
    [{ exp: NOW - 31 }, false],
    [{ exp: undefined }, false],
    [{ exp: "9999999999" }, false],
    [{ exp: null }, false],
    [{ nbf: NOW + 29 }, true],
    [{ nbf: NOW + 31 }, false],
    [{ nbf: "0" }, false],
    [{ iat: NOW + 31 }, false],
    [{ iat: undefined }, true],
    [{ nbf: undefined }, true],
  ];
  for (const [change, taken] of cases) {
    const token = signJwt(ours.signer, { ...CLAIMS, ...change });
    if (taken) verifyJwt(token, [ours.verifier], EXPECTED);
    else refused(token);
  }
  assert.throws(() =>
    verifyJwt(signJwt(ours.signer, CLAIMS, "refresh+jwt"), [ours.verifier], { ...EXPECTED, type: "JWT" }),
  );
});

test("scenario 21: what is no token", () => {
  const good = signJwt(ours.signer, CLAIMS);
  for (const text of [
    "",
    ".",
    "..",
    "a.b",
    "a.b.c",
    "a.b.c.d",
    `${good}.x`,
    ` ${good}`,
    `${good}=`,
    "x".repeat(100_000),
  ])
    refused(text);
  refused(forged({ alg: "ES256" }, ours.signer, '{"iss":"us","iss":"us"}'));
  refused(forged({ alg: "ES256" }, ours.signer, "[]"));
  refused(forged({ alg: "ES256" }, ours.signer, "null"));
  const [header, , signature] = good.split(".");
  refused(`${header}.${part({ ...CLAIMS, sub: "root" })}.${signature}`);
});

test("parseJwks: takes the keys that it can use, and none that is weak", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const set = [ours.jwk, weak, { kty: "oct", k: "AAAA" }, { ...foreign.jwk, use: "enc" }, null, 5];
  const keys = parseJwks("f", Buffer.from(JSON.stringify({ keys: set })));
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [ours.signer.kid],
  );
  for (const text of ['{"keys":[]}', "{}", "[]", JSON.stringify({ keys: [weak] })])
    assert.throws(() => parseJwks("f", Buffer.from(text)), { code: "invalid" }, text);
});
