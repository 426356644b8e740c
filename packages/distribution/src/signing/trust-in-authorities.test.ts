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
  certificateBundle,
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
import type { FoundSignature } from "./find-signatures.ts";
import { parsePemBlocks, printPem } from "./pem.ts";
import { LOG_ANNOTATION } from "./rekor-entry.ts";
import { readCertificate } from "./signer-certificate.ts";
import { readCertificates, trustInAuthorities } from "./trust-in-authorities.ts";
import { simpleSigningPayload } from "./simple-signing.ts";
import { signStatement } from "./statement.ts";
import type { SignatureTrust } from "./verify-image.ts";

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
interface Case {
  cert?: Buffer;
  chain?: Buffer | string;
  at?: number;
  log?: KeyObject;
  over?: Buffer;
  logged?: Buffer;
  entry?: false;
}

/** Under a tag and in a bundle: both have to be taken, or refused for the same reason. */
function attempt(c: Case): void {
  const errors = [tagged, bundled].map((form): unknown => {
    try {
      assert.equal(trust().verify(form(c), image).reference, "a/b");
      return null;
    } catch (error) {
      return error;
    }
  });
  const [underTag, inBundle] = errors;
  assert.equal(String(inBundle), String(underTag), "one form is taken where the other one is not");
  if (underTag !== null) throw underTag as Error;
}

function trust(): SignatureTrust {
  return trustInAuthorities(
    { roots: readCertificates(printPem("CERTIFICATE", root), 5), intermediates: [] },
    { oidcIssuer: ISS, email: "a@b", hostname: null },
    [parsePublicKey(printPem("PUBLIC KEY", publicDer(logKey)))],
    null,
  );
}

function bundled(c: Case): FoundSignature {
  const certificate = c.cert ?? leaf();
  const chain =
    typeof c.chain === "string" ? parsePemBlocks(c.chain, "chain", 10).map(({ bytes: der }) => der) : c.chain;
  const statement = signStatement(image.descriptor.digest, "a/b", {});
  const entry = {
    payload: c.over ?? statement,
    certificate: c.logged ?? certificate,
    at: c.at ?? T0 + MINUTE,
    log: c.log ?? logKey,
  };
  const certificates = [certificate, ...[chain ?? []].flat()];
  const made = { statement, key: leafKey, certificates, entry: c.entry === false ? null : entry };
  return { format: "bundle", name: "x", bytes: certificateBundle(made) };
}

function tagged(c: Case): FoundSignature {
  const certificate = c.cert ?? leaf();
  const signature = sign("sha256", payload, leafKey);
  const entry = logEntry({
    payload: c.over ?? payload,
    signature,
    certificate: c.logged ?? certificate,
    at: c.at ?? T0 + MINUTE,
    log: c.log ?? logKey,
  });
  return {
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
  };
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
const BAD: [string, Case, RegExp][] = [
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
test("pki: a bundle without a log", () => {
  const trusted = { roots: readCertificates(printPem("CERTIFICATE", root), 5), intermediates: [] };
  const verify = (now: number) =>
    trustInAuthorities(trusted, { oidcIssuer: ISS, email: "a@b", hostname: null }, null, new Date(now)).verify(
      bundled({ entry: false }),
      image,
    );
  assert.equal(verify(T0 + MINUTE).reference, "a/b");
  assert.throws(() => verify(T0 + 11 * MINUTE), /not valid at/);
});
test("refuses bundles whose signer, content or form is not as it has to be", () => {
  const good = JSON.parse(Buffer.from((bundled({}) as { bytes: Uint8Array }).bytes).toString()) as {
    verificationMaterial: Record<string, unknown>;
    dsseEnvelope: Record<string, unknown>;
  };
  const { verificationMaterial: material, dsseEnvelope: envelope } = good;
  const { certificate, tlogEntries } = material;
  const other = signStatement(digestOf(Buffer.from("other")), "a/b", {}).toString("base64");
  const [entry] = tlogEntries as Record<string, unknown>[];
  const cases: readonly (readonly [name: string, changes: object, reason: RegExp])[] = [
    ["no signer", { verificationMaterial: { tlogEntries } }, /0 signers/],
    ["two signers", { verificationMaterial: { ...material, publicKey: { hint: "x" } } }, /2 signers/],
    ["a key", { verificationMaterial: { publicKey: { hint: "x" }, tlogEntries } }, /no certificate/],
    ["an empty chain", { verificationMaterial: { x509CertificateChain: { certificates: [] } } }, /no certificate/],
    [
      "a long chain",
      {
        verificationMaterial: { x509CertificateChain: { certificates: Array.from({ length: 11 }, () => certificate) } },
      },
      /11 certificates/,
    ],
    ["a certificate that is none", { verificationMaterial: { certificate: { rawBytes: "AAAA" } } }, /cannot be parsed/],
    ["another statement", { dsseEnvelope: { ...envelope, payload: other } }, /not made by its certificate's key/],
    ["no entries", { verificationMaterial: { certificate } }, /no log entry/],
    [
      "many entries",
      { verificationMaterial: { certificate, tlogEntries: Array.from({ length: 11 }, () => entry) } },
      /11 entries/,
    ],
    [
      "an entry without the log's word",
      { verificationMaterial: { certificate, tlogEntries: [{ ...entry, inclusionPromise: undefined }] } },
      /neither promise nor proof/,
    ],
    [
      "another time",
      { verificationMaterial: { certificate, tlogEntries: [{ ...entry, integratedTime: "1" }] } },
      /no trusted log/,
    ],
    [
      "a time that is a number",
      { verificationMaterial: { certificate, tlogEntries: [{ ...entry, integratedTime: 1 }] } },
      /whole numbers/,
    ],
  ];
  for (const [name, changes, reason] of cases) {
    const bytes = Buffer.from(JSON.stringify({ ...good, ...changes }));
    assert.throws(() => trust().verify({ format: "bundle", name: "x", bytes }, image), reason, name);
  }
  // A bad entry hides no good one.
  const twice = { certificate, tlogEntries: [{ ...entry, integratedTime: "1" }, entry] };
  const bytes = Buffer.from(JSON.stringify({ ...good, verificationMaterial: twice }));
  assert.equal(trust().verify({ format: "bundle", name: "x", bytes }, image).reference, "a/b");
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
