// Certificates of an authority that is made here: each rule, and what happens when it is broken.

import assert from "node:assert/strict";
import { sign, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { isTeuError } from "@teu/base/errors";
import { digestOf } from "@teu/image/digest";
import { sequence } from "@teu/testkit/certificates";
import {
  alternativeNames,
  extendedUsage,
  extension,
  isAuthority,
  keyUsage,
  logEntry,
  makeCertificate,
  newSigningKey,
  oidcIssuer,
  publicDer,
} from "@teu/testkit/signer-authority";

import { parsePublicKey } from "./public-key.ts";
import { printPem } from "./pem.ts";
import { LOG_ANNOTATION } from "./rekor-entry.ts";
import { readCertificate } from "./signer-certificate.ts";
import { readCertificates, trustInAuthorities } from "./trust-in-authorities.ts";
import { simpleSigningPayload } from "./simple-signing.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const newKey = newSigningKey;
const CA = isAuthority();
const CODE = extendedUsage();
const san = (...names: string[]): Buffer => alternativeNames(names);
const V1 = (text: string): Buffer => oidcIssuer(text);
const V2 = (text: string): Buffer => oidcIssuer(text, "new");
function cert(
  subject: string,
  key: KeyObject,
  issuer: string,
  by: KeyObject,
  extensions: Buffer[],
  from = T0,
  to = T0 + 10 * MINUTE,
): Buffer {
  return makeCertificate({ subject, key, issuer, by, extensions, from, to });
}
const [rootKey, midKey, leafKey, logKey] = [newKey(), newKey(), newKey(), newKey()] as const;
const YEAR = 525_600 * MINUTE;
const root = cert("root", rootKey, "root", rootKey, [CA], T0 - YEAR, T0 + YEAR);
const bytes = Buffer.from("{}");
const image = { descriptor: { mediaType: "", digest: digestOf(bytes), size: 2 }, bytes };
const payload = simpleSigningPayload(image.descriptor.digest, "a/b", {});
const ISS = "https://issuer";
const leaf = (exts: Buffer[] = [CODE, san("a@b"), V1(ISS)], by = rootKey, issuer = "root"): Buffer =>
  cert("leaf", leafKey, issuer, by, exts);
function attempt(c: {
  cert?: Buffer;
  chain?: Buffer | string;
  at?: number;
  log?: KeyObject;
  over?: Buffer;
  logged?: Buffer;
  entry?: false;
}): void {
  const certificate = c.cert ?? leaf();
  const signature = sign("sha256", payload, leafKey);
  const entry = logEntry({
    payload: c.over ?? payload,
    signature,
    certificate: c.logged ?? certificate,
    at: c.at ?? T0 + MINUTE,
    log: c.log ?? logKey,
  });
  trustInAuthorities(
    { roots: readCertificates(printPem("CERTIFICATE", root), 5), intermediates: [] },
    { oidcIssuer: ISS, email: "a@b", hostname: null },
    [parsePublicKey(printPem("PUBLIC KEY", publicDer(logKey)))],
    null,
  ).verify(
    {
      format: "tag",
      name: "x",
      payload,
      signature: signature.toString("base64"),
      annotations: {
        "dev.sigstore.cosign/certificate": printPem("CERTIFICATE", certificate),
        ...(c.chain === undefined
          ? {}
          : { "dev.sigstore.cosign/chain": typeof c.chain === "string" ? c.chain : printPem("CERTIFICATE", c.chain) }),
        ...(c.entry === false ? {} : { [LOG_ANNOTATION]: entry }),
      },
    },
    image,
  );
}
const mid = (exts: Buffer[]): Buffer => cert("mid", midKey, "root", rootKey, exts, T0 - YEAR, T0 + YEAR);
const below = leaf(undefined, midKey, "mid");
test("takes good ones", () => {
  attempt({});
  attempt({ cert: leaf([CODE, san("x@y", "a@b"), V2(ISS)]) });
  attempt({ cert: leaf([CODE, san("a@b"), V1(ISS), V2(ISS)]) });
  attempt({ cert: below, chain: mid([CA]) });
});
test("pki: valid now, of the wanted host, without a log", () => {
  const names = alternativeNames(["build.example"], 0x82);
  const trusted = {
    roots: readCertificates(printPem("CERTIFICATE", root), 5),
    intermediates: readCertificates(printPem("CERTIFICATE", mid([CA])), 5),
  };
  const signature = sign("sha256", payload, leafKey).toString("base64");
  const annotations = {
    "dev.sigstore.cosign/certificate": printPem("CERTIFICATE", leaf([CODE, names], midKey, "mid")),
  };
  const verify = (hostname: string, email: string | null, now: number) =>
    trustInAuthorities(trusted, { oidcIssuer: null, email, hostname }, null, new Date(now)).verify(
      { format: "tag", name: "x", payload, signature, annotations },
      image,
    );
  assert.equal(verify("build.example", null, T0 + MINUTE).reference, "a/b");
  assert.throws(() => verify("example", null, T0 + MINUTE), /another host/);
  assert.throws(() => verify("build.example", "a@b", T0 + MINUTE), /e-mail/);
  assert.throws(() => verify("build.example", null, T0 + 11 * MINUTE), /not valid at/);
});
const BAD: [string, Parameters<typeof attempt>[0], RegExp][] = [
  ["issuer", { cert: leaf([CODE, san("a@b"), V1("https://issuer.evil")]) }, /OIDC issuer/],
  ["no issuer", { cert: leaf([CODE, san("a@b")]) }, /OIDC issuer/],
  ["two issuers", { cert: leaf([CODE, san("a@b"), V1(ISS), V2("x")]) }, /two OIDC/],
  ["email", { cert: leaf([CODE, san("a@b.c"), V1(ISS)]) }, /e-mail/],
  ["joined", { cert: leaf([CODE, san("a@b,x@y"), V1(ISS)]) }, /e-mail/],
  ["NUL", { cert: leaf([CODE, san("a@b\0.c"), V1(ISS)]) }, /not printed/],
  ["late", { at: T0 + 11 * MINUTE }, /not valid at/],
  ["early", { at: T0 - MINUTE }, /not valid at/],
  ["other CA", { cert: leaf(undefined, newKey()) }, /no trusted authority/],
  ["no EKU", { cert: leaf([san("a@b"), V1(ISS)]) }, /not for signing code/],
  ["CA as leaf", { cert: leaf([CA, CODE, san("a@b"), V1(ISS)]) }, /an authority's/],
  ["mid without CA", { cert: below, chain: mid([]) }, /no trusted authority/],
  ["no chain", { cert: below }, /no trusted authority/],
  ["SET of other key", { log: newKey() }, /no trusted log/],
  ["other payload", { over: Buffer.from("x") }, /another payload/],
  ["other certificate", { logged: below }, /another certificate/],
  ["no entry", { entry: false }, /no log entry/],
  ["name constraints", { cert: below, chain: mid([CA, extension("2.5.29.30", sequence())]) }, /cannot be judged/],
  ["mid that may not sign certificates", { cert: below, chain: mid([CA, keyUsage(0x80)]) }, /no trusted authority/],
  ["mid for servers", { cert: below, chain: mid([CA, extendedUsage("1.3.6.1.5.5.7.3.1")]) }, /no trusted authority/],
  [
    "leaf for servers",
    { cert: leaf([extendedUsage("1.3.6.1.5.5.7.3.1"), san("a@b"), V1(ISS)]) },
    /not for signing code/,
  ],
  ["leaf that may not sign", { cert: leaf([CODE, keyUsage(0x20), san("a@b"), V1(ISS)]) }, /not for signatures/],
  [
    "a critical extension",
    { cert: leaf([CODE, san("a@b"), V1(ISS), extension("1.2.3", sequence(), true)]) },
    /cannot be judged/,
  ],
  ["an extension twice", { cert: leaf([CODE, san("a@b"), san("c@d"), V1(ISS)]) }, /twice/],
  ["a host as e-mail", { cert: leaf([CODE, alternativeNames(["a@b"], 0x82), V1(ISS)]) }, /e-mail/],
];
test("takes an intermediate that may sign certificates for code", () => {
  attempt({ cert: below, chain: mid([CA, keyUsage(0x04), CODE]) });
  attempt({ cert: below, chain: mid([isAuthority(0)]) });
});
test("refuses a chain that is longer than an authority allows", () => {
  const lowKey = newKey();
  const low = cert("low", lowKey, "mid", midKey, [CA], T0 - YEAR, T0 + YEAR);
  const certificate = leaf(undefined, lowKey, "low");
  const chained = (depth?: number): string =>
    printPem("CERTIFICATE", low) + printPem("CERTIFICATE", mid([isAuthority(depth)]));
  attempt({ cert: certificate, chain: chained() });
  attempt({ cert: certificate, chain: chained(1) });
  assert.throws(() => attempt({ cert: certificate, chain: chained(0) }), /no trusted authority/);
});
test("readCertificate: bytes that were changed are refused as such, or read", () => {
  const good = leaf();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat({ max: good.length }),
      (changes, cut) => {
        const bad = Buffer.from(good);
        for (const [at, byte] of changes) bad.writeUInt8(byte, at);
        for (const bytes of [bad, bad.subarray(0, cut)]) {
          try {
            readCertificate(bytes);
          } catch (error) {
            assert.ok(isTeuError(error), String(error));
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
for (const [name, c, reason] of BAD) test(`refuses: ${name}`, () => assert.throws(() => attempt(c), reason));
