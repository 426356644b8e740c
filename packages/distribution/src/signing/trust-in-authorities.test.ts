// Certificates of an authority that is made here: each rule, and what happens when it is broken.

import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { digestOf } from "@teu/image/digest";
import { commonName, identifier, sequence, tagged, time } from "@teu/testkit/certificates";

import { parsePublicKey } from "./public-key.ts";
import { printPem } from "./pem.ts";
import { LOG_ANNOTATION } from "./rekor-entry.ts";
import { readCertificates, trustInAuthorities } from "./trust-in-authorities.ts";
import { simpleSigningPayload } from "./simple-signing.ts";

const T0 = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}
const ext = (oid: string, value: Buffer): Buffer => sequence(identifier(oid), tagged(4, value));
const CA = ext("2.5.29.19", sequence(tagged(1, Buffer.from([0xff]))));
const CODE = ext("2.5.29.37", sequence(identifier("1.3.6.1.5.5.7.3.3")));
const san = (...names: string[]): Buffer =>
  ext("2.5.29.17", sequence(...names.map((n) => tagged(0x81, Buffer.from(n)))));
const V1 = (t: string): Buffer => ext("1.3.6.1.4.1.57264.1.1", Buffer.from(t));
const V2 = (t: string): Buffer => ext("1.3.6.1.4.1.57264.1.8", tagged(0x0c, Buffer.from(t)));
function cert(
  subject: string,
  key: KeyObject,
  issuer: string,
  by: KeyObject,
  exts: Buffer[],
  from = T0,
  to = T0 + 10 * MINUTE,
): Buffer {
  const alg = sequence(identifier("1.2.840.10045.4.3.2"));
  const body = sequence(
    tagged(0xa0, tagged(2, Buffer.from([2]))),
    tagged(2, Buffer.from([1])),
    alg,
    commonName(issuer),
    sequence(time(new Date(from)), time(new Date(to))),
    commonName(subject),
    publicDer(key),
    tagged(0xa3, sequence(...exts)),
  );
  return sequence(body, alg, tagged(3, Buffer.concat([Buffer.from([0]), sign("sha256", body, by)])));
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
  chain?: Buffer;
  at?: number;
  log?: KeyObject;
  over?: Buffer;
  logged?: Buffer;
  entry?: false;
}): void {
  const certificate = c.cert ?? leaf();
  const signature = sign("sha256", payload, leafKey);
  const body = Buffer.from(
    JSON.stringify({
      apiVersion: "0.0.1",
      kind: "hashedrekord",
      spec: {
        data: {
          hash: {
            algorithm: "sha256",
            value: createHash("sha256")
              .update(c.over ?? payload)
              .digest("hex"),
          },
        },
        signature: {
          content: signature.toString("base64"),
          publicKey: { content: Buffer.from(printPem("CERTIFICATE", c.logged ?? certificate)).toString("base64") },
        },
      },
    }),
  ).toString("base64");
  const Payload = { body, integratedTime: (c.at ?? T0 + MINUTE) / 1000, logID: "00", logIndex: 1 };
  const SignedEntryTimestamp = sign("sha256", Buffer.from(JSON.stringify(Payload)), c.log ?? logKey).toString("base64");
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
        ...(c.chain ? { "dev.sigstore.cosign/chain": printPem("CERTIFICATE", c.chain) } : {}),
        ...(c.entry === false ? {} : { [LOG_ANNOTATION]: JSON.stringify({ SignedEntryTimestamp, Payload }) }),
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
  const names = ext("2.5.29.17", sequence(tagged(0x82, Buffer.from("build.example"))));
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
  ["name constraints", { cert: below, chain: mid([CA, ext("2.5.29.30", sequence())]) }, /cannot be judged/],
];
for (const [name, c, reason] of BAD) test(`refuses: ${name}`, () => assert.throws(() => attempt(c), reason));
