// Signatures that GitHub's workflows made with certificates of the public Sigstore: a signature in a bundle (a.txt of Sigstore's
// conformance suite), an attestation (cosign's testdata) and an image's signature under a tag (salrashid123/server_image).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { type Digest, digestOf } from "@teu/image/digest";

import { writeBundle } from "./bundle.ts";
import { type CertificateWish, trustInCertificates } from "./certificate-trust.ts";
import type { SignedImage } from "./claim.ts";
import type { FoundSignature } from "./find-signatures.ts";
import { simpleSigningPayload } from "./simple-signing.ts";
import { signStatement } from "./statement.ts";
import { makeKey } from "@teu/testkit/signing-keys";

const read = (name: string): Buffer => readFileSync(new URL(`testdata/${name}`, import.meta.url));
const ROOTS = read("trusted_root.json");
const GITHUB = "https://token.actions.githubusercontent.com";

function imageOf(text: string): SignedImage {
  const bytes = Buffer.from(text);
  return { descriptor: { mediaType: "text/plain", digest: digestOf(bytes), size: bytes.length }, bytes };
}

const A_TXT = imageOf(
  'DO NOT MODIFY ME!\n\nthis is "a.txt", a sample input for sigstore-conformance\'s test suite.\n\nDO NOT MODIFY ME!\n',
);
const CONFORMANCE: CertificateWish = {
  identity:
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main",
  issuer: GITHUB,
};
const bundle = (bytes: Buffer): FoundSignature => ({ format: "bundle", name: "x", bytes });
const conformance = bundle(read("a.txt.sigstore.json"));

function refused(
  found: FoundSignature,
  image: SignedImage,
  wish: CertificateWish,
  reason: RegExp,
  roots: Uint8Array = ROOTS,
): void {
  const trust = trustInCertificates(roots, wish);
  assert.throws(
    () => trust.verify(found, image),
    (error) => isTeuError(error) && reason.test(error.message),
    String(reason),
  );
}

test("trustInCertificates: takes a signature of who is wanted, as a text or a pattern", () => {
  for (const wish of [
    CONFORMANCE,
    { identity: /^https:\/\/github\.com\/sigstore-conformance\//u, issuer: GITHUB },
    { identity: CONFORMANCE.identity, issuer: /githubusercontent\.com$/u },
  ]) {
    const claim = trustInCertificates(ROOTS, wish).verify(conformance, A_TXT);
    assert.equal(claim.digest, A_TXT.descriptor.digest);
    assert.equal(claim.reference, null);
  }
});

test("trustInCertificates: refuses others, other content, and certificates, logs and roots that do not fit", () => {
  const { identity, issuer } = CONFORMANCE;
  // A part of the text, or a text that would fit as a pattern, is another one.
  for (const other of ["https://github.com/sigstore-conformance", "extremely-dangerous", ".*", "me@example.org"])
    refused(conformance, A_TXT, { identity: other, issuer }, /the certificate's identity is/);
  for (const other of ["https://accounts.google.com", ".*", /^https:\/\/accounts/u])
    refused(conformance, A_TXT, { identity, issuer: other }, /the certificate's issuer is/);
  refused(conformance, imageOf("another text"), CONFORMANCE, /verify signature/);

  const text = read("a.txt.sigstore.json").toString();
  type Parsed = { verificationMaterial: { tlogEntries: { integratedTime: string; inclusionPromise: object }[] } };
  const changed = (change: (document: Parsed) => void): FoundSignature => {
    const document = JSON.parse(text) as Parsed;
    change(document);
    return bundle(Buffer.from(JSON.stringify(document)));
  };
  const [hasEntry] = (JSON.parse(text) as Parsed).verificationMaterial.tlogEntries;
  assert.ok(hasEntry !== undefined);
  for (const found of [
    changed(({ verificationMaterial }) => (verificationMaterial.tlogEntries = [])),
    changed(
      ({ verificationMaterial: { tlogEntries } }) => (tlogEntries[0] = { ...hasEntry, integratedTime: "1786853273" }),
    ),
    changed(({ verificationMaterial: { tlogEntries } }) => tlogEntries.push(hasEntry)),
  ])
    refused(found, A_TXT, CONFORMANCE, /verify signature/);

  const roots = JSON.parse(ROOTS.toString()) as Record<string, unknown>;
  const without = (name: string): Buffer => Buffer.from(JSON.stringify({ ...roots, [name]: [] }));
  refused(conformance, A_TXT, CONFORMANCE, /verify signature/, without("ctlogs"));
  const unusable = [
    "",
    "{",
    "[]",
    '{"tlogs":[],"tlogs":[]}',
    '{"tlogs":{}}',
    without("tlogs"),
    without("certificateAuthorities"),
  ];
  for (const bad of unusable)
    assert.throws(
      () => trustInCertificates(Buffer.from(bad), CONFORMANCE),
      (error) => isTeuError(error, "invalid"),
    );
});

test("trustInCertificates: an attestation by who is wanted is no signature of the image", () => {
  const attestation = bundle(read("oci-attestation.sigstore.json"));
  const wish = { identity: "cody@soyland.com", issuer: "https://github.com/login/oauth" };
  refused(attestation, A_TXT, wish, /it is an attestation/);
  refused(attestation, A_TXT, { ...wish, identity: "mallory@example.org" }, /the certificate's identity is "cody/);
});

test("trustInCertificates: signatures under a tag, with what cosign 2 puts beside them", () => {
  const digest = "sha256:adce22cdd04fa2b012209f2d048c883c66b7ab89eaadf4f596899fde52d3b0bd" as Digest;
  const payload = simpleSigningPayload(digest, "index.docker.io/salrashid123/server_image", {});
  const { signature, certificate, signedEntryTimestamp, integratedTime, logIndex, logID } = JSON.parse(
    read("server_image.json").toString(),
  ) as Record<string, string> & { integratedTime: number; logIndex: number };
  const value = digestOf(payload).slice(7);
  const publicKey = { content: Buffer.from(certificate ?? "").toString("base64") };
  const spec = { data: { hash: { algorithm: "sha256", value } }, signature: { content: signature, publicKey } };
  const body = Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec })).toString("base64");
  const log = (changes: object = {}): string =>
    JSON.stringify({
      SignedEntryTimestamp: signedEntryTimestamp,
      Payload: { body, integratedTime, logIndex, logID, ...changes },
    });
  const good = { "dev.sigstore.cosign/certificate": certificate ?? "", "dev.sigstore.cosign/bundle": log() };
  const found = (annotations: Readonly<Record<string, string>>, changes: object = {}): FoundSignature => ({
    ...{ format: "tag", name: "x", payload, signature: signature ?? "", annotations },
    ...changes,
  });
  const wish = {
    identity:
      "https://github.com/salrashid123/go-bazel-github-workflow/.github/workflows/release.yaml@refs/tags/v0.0.14",
    issuer: GITHUB,
  };
  // The manifest of that image is not known here: all that can be verified without it is good.
  refused(found(good), A_TXT, wish, /it is of another image, sha256:adce22cd/);
  refused(found(good), A_TXT, { ...wish, identity: "me@example.org" }, /the certificate's identity/);
  refused(found({}), A_TXT, wish, /no certificate/);
  refused(found({ ...good, "dev.sigstore.cosign/certificate": "x" }), A_TXT, wish, /not PEM/);
  const { "dev.sigstore.cosign/bundle": _, ...unlogged } = good;
  refused(found(unlogged), A_TXT, wish, /no log entry/);
  refused(
    found({ ...good, "dev.sigstore.cosign/bundle": log({ integratedTime: 1 }) }),
    A_TXT,
    wish,
    /verify signature/,
  );
  refused(found({ ...good, "dev.sigstore.cosign/bundle": log({ integratedTime: "1" }) }), A_TXT, wish, /whole number/);
  refused(found(good, { payload: Buffer.from("another payload") }), A_TXT, wish, /verify signature/);
});

test("trustInCertificates: signatures by keys are none", async () => {
  const key = await makeKey();
  const statement = signStatement(A_TXT.descriptor.digest, "host/app", {});
  refused(bundle(writeBundle(statement, key)), A_TXT, CONFORMANCE, /of a key, not of a certificate/);
});
