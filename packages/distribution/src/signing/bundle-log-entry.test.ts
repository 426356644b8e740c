// Log entries in bundles: those of the public log, of an envelope and of a file, and everything about them that could be another's.

import assert from "node:assert/strict";
import { createHash, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { digestOf } from "@teu/image/digest";
import { newSigningKey, publicDer } from "@teu/testkit/signer-authority";
import { makeKey } from "@teu/testkit/signing-keys";

import { readBundle, writeBundle } from "./bundle.ts";
import { verifyBundleEntries } from "./bundle-log-entry.ts";
import type { SignedImage } from "./claim.ts";
import { printPem } from "./pem.ts";
import { parsePublicKey } from "./public-key.ts";
import type { LoggedSignature } from "./rekor-entry.ts";
import { readCertificate } from "./signer-certificate.ts";
import { signStatement } from "./statement.ts";
import type { JsonObject } from "./strict-json.ts";
import { trustInKeys } from "./verify-image.ts";

const REKOR = parsePublicKey(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwr
kBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==
-----END PUBLIC KEY-----
`);
const stranger = await makeKey();

interface Parsed {
  readonly verificationMaterial: {
    readonly certificate?: { readonly rawBytes: string };
    readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] };
    readonly tlogEntries: readonly JsonObject[];
  };
}

function parsed(name: string): Parsed {
  return JSON.parse(readFileSync(new URL(`testdata/${name}`, import.meta.url), "utf8")) as Parsed;
}

function about(name: string, payload?: Buffer): LoggedSignature {
  const bundle = parsed(name);
  const { certificate: alone, x509CertificateChain } = bundle.verificationMaterial;
  const raw = (alone ?? x509CertificateChain?.certificates[0])?.rawBytes ?? "";
  const certificate = Buffer.from(raw, "base64");
  const { content } = readBundle(Buffer.from(JSON.stringify(bundle)));
  const common = { signature: content.signature, key: readCertificate(certificate).key, certificate };
  if (content.kind === "statement") return { ...common, payload: content.payload, isEnvelope: true };
  return { ...common, payload: payload ?? Buffer.alloc(0) };
}

/** The bundle with this in its only entry. */
function withEntry(bundle: Parsed, changes: object): JsonObject {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  return {
    ...bundle,
    verificationMaterial: { ...bundle.verificationMaterial, tlogEntries: [{ ...entry, ...changes }] },
  };
}

const ATTESTATION = "oci-attestation.sigstore.json";
const A_TXT = Buffer.from(
  'DO NOT MODIFY ME!\n\nthis is "a.txt", a sample input for sigstore-conformance\'s test suite.\n\nDO NOT MODIFY ME!\n',
);

test("verifyBundleEntries: entries of the public log, with the log's promise and by proof alone", () => {
  const file = about("a.txt.sigstore.json", A_TXT);
  assert.equal(verifyBundleEntries({ ...parsed("a.txt.sigstore.json") }, [REKOR], file)?.getTime(), 1_686_853_273_000);
  const envelope = about(ATTESTATION);
  const bundle = parsed(ATTESTATION);
  assert.equal(verifyBundleEntries({ ...bundle }, [REKOR], envelope)?.getTime(), 1_740_770_291_000);
  // Nobody has signed the time that stands beside a proof.
  for (const changes of [{ inclusionPromise: undefined }, { inclusionPromise: null, integratedTime: "1" }])
    assert.equal(verifyBundleEntries(withEntry(bundle, changes), [REKOR], envelope), null);
});

test("verifyBundleEntries: refuses entries that are of something else, or that no trusted log has", () => {
  const bundle = parsed(ATTESTATION);
  const good = about(ATTESTATION);
  const [entry] = bundle.verificationMaterial.tlogEntries;
  const proof = entry?.["inclusionProof"] as JsonObject;
  const foreign = about("a.txt.sigstore.json", A_TXT);
  const cases: readonly (readonly [string, object, Partial<LoggedSignature>, RegExp])[] = [
    ["another payload", {}, { payload: Buffer.from("x") }, /another payload/],
    ["another signature", {}, { signature: Buffer.from("x") }, /another signature/],
    ["another certificate", {}, { certificate: foreign.certificate ?? Buffer.alloc(0) }, /another certificate/],
    ["a payload as such", {}, { isEnvelope: false }, /its kind is "dsse"/],
    ["another time", { integratedTime: "1740770292" }, {}, /no trusted log/],
    ["another place", { logIndex: "1" }, {}, /no trusted log/],
    ["another log", { logId: { keyId: "AAAA" } }, {}, /no trusted log/],
    ["a body of one's own", { canonicalizedBody: "e30=" }, {}, /no trusted log/],
    ["one of one's own, by proof", { inclusionPromise: null, canonicalizedBody: "e30=" }, {}, /does not lead/],
    ["no body", { canonicalizedBody: undefined }, {}, /canonicalizedBody is missing/],
    ["a bad promise and a good proof", { inclusionPromise: { signedEntryTimestamp: "AAAA" } }, {}, /no trusted log/],
    ["an empty promise", { inclusionPromise: {} }, {}, /signedEntryTimestamp is missing/],
    ["neither", { inclusionPromise: undefined, inclusionProof: undefined }, {}, /neither promise nor proof/],
    [
      "a proof without checkpoint",
      { inclusionPromise: undefined, inclusionProof: { ...proof, checkpoint: undefined } },
      {},
      /checkpoint/,
    ],
  ];
  for (const [name, changes, other, reason] of cases)
    assert.throws(
      () => verifyBundleEntries(withEntry(bundle, changes), [REKOR], { ...good, ...other }),
      (error) => isTeuError(error) && reason.test(error.message),
      name,
    );
  for (const logs of [[], [stranger.publicKey]])
    for (const changes of [{}, { inclusionPromise: undefined }])
      assert.throws(() => verifyBundleEntries(withEntry(bundle, changes), logs, good), /no trusted log/);
});

test("trustInKeys: with a log, bundles with an entry of this key count, and no others", async () => {
  const key = await makeKey();
  const logKey = newSigningKey();
  const log = parsePublicKey(printPem("PUBLIC KEY", publicDer(logKey)));
  const bytes = Buffer.from("{}");
  const image: SignedImage = { descriptor: { mediaType: "", digest: digestOf(bytes), size: 2 }, bytes };
  const statement = signStatement(image.descriptor.digest, "a/b", {});
  const bundle = JSON.parse(writeBundle(statement, key).toString()) as {
    verificationMaterial: object;
    dsseEnvelope: { signatures: { sig: string }[] };
  };
  const signature = bundle.dsseEnvelope.signatures[0]?.sig;
  const logged = (pem: string): Buffer => {
    const spec = {
      payloadHash: { algorithm: "sha256", value: createHash("sha256").update(statement).digest("hex") },
      signatures: [{ signature, verifier: Buffer.from(pem).toString("base64") }],
    };
    const body = Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "dsse", spec })).toString("base64");
    const promise = sign(
      "sha256",
      Buffer.from(JSON.stringify({ body, integratedTime: 1, logID: "00", logIndex: 2 })),
      logKey,
    );
    const entry = {
      logIndex: "2",
      logId: { keyId: "AA==" },
      integratedTime: "1",
      inclusionPromise: { signedEntryTimestamp: promise.toString("base64") },
      canonicalizedBody: body,
    };
    const verificationMaterial = { ...bundle.verificationMaterial, tlogEntries: [entry] };
    return Buffer.from(JSON.stringify({ ...bundle, verificationMaterial }));
  };
  const verify = (given: Uint8Array, logs: readonly (typeof log)[] | null) =>
    trustInKeys([key.publicKey], logs).verify({ format: "bundle", name: "x", bytes: given }, image).reference;
  const good = logged(key.publicKey.pem);
  assert.equal(verify(good, [log]), "a/b");
  assert.equal(verify(good, null), "a/b");
  assert.throws(() => verify(good, [REKOR]), /no trusted log/);
  assert.throws(() => verify(logged(stranger.publicKey.pem), [log]), /another key/);
  assert.throws(() => verify(Buffer.from(JSON.stringify(bundle)), [log]), /no log entry/);
});
