// Signatures that are not what they look like: each counts for nothing, says why, and hides no honest one beside it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError, TeuError } from "@teu/base/errors";
import { digestOf } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";

import { BUNDLE, writeBundle } from "./bundle.ts";
import { findSignatures, MOST_SIGNATURES } from "./find-signatures.ts";
import type { PrivateKey } from "./private-key.ts";
import { registryPlace, type SignaturePlace } from "./signature-place.ts";
import { simpleSigningPayload } from "./simple-signing.ts";
import { SIGN_PREDICATE, signStatement, STATEMENT_PAYLOAD } from "./statement.ts";
import { makeKey } from "@teu/testkit/signing-keys";
import { SignatureBench, type TagSignature } from "@teu/testkit/signature-bench";
import { trustInKeys, verifySignatures } from "./verify-image.ts";

const key = await makeKey();
const other = await makeKey();
const OTHER_IMAGE = digestOf("another image");

function signed(payload: Buffer | string, by: PrivateKey = key): TagSignature {
  const bytes = Buffer.from(payload);
  return { payload: bytes, signature: by.sign(bytes) };
}

async function rejection(bench: SignatureBench): Promise<string> {
  const { accepted, rejected } = await bench.verify(key.publicKey);
  assert.deepEqual(accepted, []);
  return rejected.map(({ reason }) => reason.message).join("\n");
}

test("tag: payloads that the key signed, and that still say nothing of this image", async () => {
  await using bench = await SignatureBench.open();
  const identity = { "docker-reference": "host/team/app" };
  const image = { "docker-manifest-digest": bench.digest };
  const type = "cosign container image signature";
  const critical = { identity, image, type };
  const payload = (changes: object, rest: object = { optional: null }): string =>
    JSON.stringify({ critical: { ...critical, ...changes }, ...rest });
  const cases: readonly [string, string, RegExp][] = [
    ["of another image", payload({ image: { "docker-manifest-digest": OTHER_IMAGE } }), /another image/],
    ["of a digest that is a list", payload({ image: { "docker-manifest-digest": [bench.digest] } }), /must be a text/],
    ["of a digest of no known algorithm", payload({ image: { "docker-manifest-digest": "md5:00" } }), /another image/],
    [
      "of a digest in capitals",
      payload({ image: { "docker-manifest-digest": bench.digest.toUpperCase() } }),
      /another/,
    ],
    ["with a second digest", payload({ image: { ...image, "docker-Manifest-Digest": OTHER_IMAGE } }), /not known/],
    ["of another type", payload({ type: "atomic container signature" }), /critical\.type/],
    ["without a type", payload({ type: undefined }), /has no type/],
    ["with a type that is a number", payload({ type: 7 }), /must be a text/],
    ["with more that is critical", payload({ expires: 1 }), /not known/],
    ["with a reference that is null", payload({ identity: { "docker-reference": null } }), /must be a text/],
    ["without identity", payload({ identity: undefined }), /has no identity/],
    ["without optional", payload({}, {}), /has no optional/],
    ["with optional that is a text", payload({}, { optional: "x" }), /must be an object/],
    ["with more beside", payload({}, { optional: null, more: 1 }), /not known/],
    ["a list", `[${payload({})}]`, /must be an object/],
    ["no JSON", "nonsense", /not JSON|value/],
    ["not UTF-8", "\u0000", /value|JSON/],
    [
      "with a duplicate name",
      payload({}).replace('"image":', `"image":${JSON.stringify({ "docker-manifest-digest": OTHER_IMAGE })},"image":`),
      /duplicate/,
    ],
    [
      "deeply nested",
      payload({}, { optional: JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`) as object }),
      /nested/,
    ],
    ["the manifest itself", Buffer.from(bench.image.bytes).toString(), /has no critical|not known/],
  ];
  for (const [name, text, reason] of cases) {
    await bench.putTag([signed(text)]);
    assert.match(await rejection(bench), reason, name);
  }
});

test("tag: signatures that the key did not make of this payload", async () => {
  await using bench = await SignatureBench.open();
  const payload = simpleSigningPayload(bench.digest, "host/team/app", {});
  const good = key.sign(payload);
  const raw = good.toString("base64");
  const cases: readonly [string, TagSignature, RegExp][] = [
    ["of another key", signed(payload, other), /not made by this key/],
    ["of another payload", { payload, signature: key.sign(Buffer.from("x")) }, /not made by this key/],
    [
      "of a bundle's encoding",
      { payload, signature: key.sign(Buffer.from(`DSSEv1 1 x ${payload.length} ${payload.toString()}`)) },
      /not made/,
    ],
    ["empty", { payload, signature: "" }, /not made by this key/],
    ["not base64", { payload, signature: "%%%" }, /not base64/],
    ["with white space", { payload, signature: `${raw}\n` }, /not base64/],
    ["without padding", { payload, signature: raw.replace(/=+$/, "").slice(0, -1) }, /not base64|not made/],
    ["with something behind", { payload, signature: Buffer.concat([good, Buffer.from("x")]) }, /not made by this key/],
  ];
  for (const [name, signature, reason] of cases) {
    await bench.putTag([signature]);
    assert.match(await rejection(bench), reason, name);
  }
  await bench.putTag([...cases.map(([, signature]) => signature), { payload, signature: good }]);
  const { accepted, rejected } = await bench.verify(key.publicKey);
  assert.equal(accepted.length, 1);
  assert.equal(rejected.length, cases.length);
});

test("tag: signatures of another image that were copied under this image's tag", async () => {
  await using bench = await SignatureBench.open();
  await bench.putTag([signed(simpleSigningPayload(OTHER_IMAGE, "host/team/app", {}))]);
  assert.match(await rejection(bench), /another image/);
});

test("tag: a payload that is too large, and one that is missing, hide no other", async () => {
  await using bench = await SignatureBench.open();
  const large = simpleSigningPayload(bench.digest, "host/team/app", { filler: "x".repeat(70_000) });
  const good = signed(simpleSigningPayload(bench.digest, "host/team/app", {}));
  await bench.putTag([signed(large), good]);
  const { accepted, rejected } = await bench.verify(key.publicKey);
  assert.equal(accepted.length, 1);
  assert.match(rejected[0]?.reason.message ?? "", /limit is/);
});

test("tag: thousands of signatures are refused before any is fetched", async () => {
  await using bench = await SignatureBench.open();
  const good = signed(simpleSigningPayload(bench.digest, "host/team/app", {}));
  const many: TagSignature[] = [];
  for (let i = 0; i <= MOST_SIGNATURES; i++) many.push(good);
  await bench.putTag(many.slice(1));
  assert.equal((await bench.verify(key.publicKey)).accepted.length, MOST_SIGNATURES);
  await bench.putTag(many);
  await assert.rejects(bench.verify(key.publicKey), (error) => isTeuError(error, "exhausted"));
});

test("tag: a manifest that is too large, and one that is no manifest of signatures", async () => {
  await using bench = await SignatureBench.open();
  const config = { mediaType: MEDIA_TYPES.config, ...(await bench.putBlob(Buffer.from("{}"))) };
  const tag = `${bench.digest.replace(":", "-")}.sig`;
  await bench.putManifest({ config, layers: [], annotations: { filler: "x".repeat(300_000) } }, tag);
  assert.match(await rejection(bench), /limit is/);
  await bench.putManifest({ config, layers: [{ ...config, mediaType: MEDIA_TYPES.layer }] }, tag);
  assert.equal(await rejection(bench), "");
});

// A bundle around any payload, signed as its envelope says, and changed after that.
function bundle(
  payload: Buffer | string,
  changes: { type?: string; signedType?: string; by?: PrivateKey } = {},
): {
  mediaType: string;
  verificationMaterial: object;
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
} {
  const { type = STATEMENT_PAYLOAD, signedType = type, by = key } = changes;
  const bytes = Buffer.from(payload);
  const encoded = Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(signedType)} ${signedType} ${bytes.length} `),
    bytes,
  ]);
  return {
    mediaType: BUNDLE,
    verificationMaterial: { publicKey: { hint: by.publicKey.hint } },
    dsseEnvelope: {
      payload: bytes.toString("base64"),
      payloadType: type,
      signatures: [{ sig: by.sign(encoded).toString("base64") }],
    },
  };
}

test("bundle: what the key signed, and that is no signature of this image", async () => {
  await using bench = await SignatureBench.open();
  const [, hex = ""] = bench.digest.split(":");
  const subject = { name: "host/team/app", digest: { sha256: hex } };
  const statement = (changes: object): string =>
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [subject],
      predicateType: SIGN_PREDICATE,
      predicate: {},
      ...changes,
    });
  const tagPayload = simpleSigningPayload(bench.digest, "host/team/app", {});
  const honest = bundle(statement({}));
  const envelope = honest.dsseEnvelope;
  const cases: readonly [string, object, RegExp][] = [
    ["an attestation", bundle(statement({ predicateType: "https://slsa.dev/provenance/v1" })), /attestation/],
    [
      "of another image",
      bundle(statement({ subject: [{ digest: { sha256: OTHER_IMAGE.slice(7) } }] })),
      /another image/,
    ],
    ["without subjects", bundle(statement({ subject: [] })), /another image/],
    [
      "with a subject without digest",
      bundle(statement({ subject: [{ name: "host/team/app", digest: {} }] })),
      /another/,
    ],
    [
      "with two digests of which one is wrong",
      bundle(statement({ subject: [{ digest: { sha256: hex, sha512: "00".repeat(64) } }] })),
      /another image/,
    ],
    [
      "with a digest of the wrong type",
      bundle(statement({ subject: [{ digest: { sha256: [hex] } }] })),
      /must be a text/,
    ],
    [
      "with thousands of subjects",
      bundle(statement({ subject: Array.from({ length: 500 }, () => subject) })),
      /subjects/,
    ],
    ["another form of statement", bundle(statement({ _type: "https://example.org/Statement/v9" })), /_type/],
    ["with more in it", bundle(statement({ more: 1 })), /not known/],
    ["with a duplicate name", bundle(statement({}).replace('"subject":', '"subject":[],"subject":')), /duplicate/],
    [
      "a tag's payload, called one",
      bundle(tagPayload, { type: "application/vnd.dev.cosign.simplesigning.v1+json" }),
      /payloadType/,
    ],
    ["a tag's payload, called a statement", bundle(tagPayload), /has no _type|not known/],
    [
      "signed as another type than it is called",
      bundle(statement({}), { signedType: "application/json" }),
      /not made by this key/,
    ],
    [
      "called another type than it was signed as",
      { ...honest, dsseEnvelope: { ...envelope, payloadType: "application/json" } },
      /payloadType/,
    ],
    ["by another key", bundle(statement({}), { by: other }), /not made by this key/],
    [
      "by another key with this key's hint",
      { ...bundle(statement({}), { by: other }), verificationMaterial: honest.verificationMaterial },
      /not made by this key/,
    ],
    ["without signatures", { ...honest, dsseEnvelope: { ...envelope, signatures: [] } }, /0 signatures/],
    [
      "with two signatures",
      { ...honest, dsseEnvelope: { ...envelope, signatures: [...envelope.signatures, { sig: "AAAA" }] } },
      /2 signatures/,
    ],
    [
      "with a payload that was changed",
      {
        ...honest,
        dsseEnvelope: { ...envelope, payload: Buffer.from(statement({ predicate: { a: 1 } })).toString("base64") },
      },
      /not made by this key/,
    ],
    [
      "with a payload that is not base64",
      { ...honest, dsseEnvelope: { ...envelope, payload: `${envelope.payload} ` } },
      /not base64/,
    ],
    ["of two kinds at once", { ...honest, messageSignature: { signature: "AAAA" } }, /one of/],
    ["of no kind", { mediaType: BUNDLE, verificationMaterial: {} }, /one of/],
    ["without material", { mediaType: BUNDLE, dsseEnvelope: envelope }, /verificationMaterial/],
    ["of a later version", { ...honest, mediaType: "application/vnd.dev.sigstore.bundle.v9+json" }, /mediaType/],
    ["a list", [honest], /must be an object/],
  ];
  for (const [name, document, reason] of cases) {
    const found = { format: "bundle", name, bytes: Buffer.from(JSON.stringify(document)) } as const;
    const { accepted, rejected } = await verifySignatures(
      [found],
      bench.image,
      trustInKeys([key.publicKey]),
      () => null,
    );
    assert.deepEqual(accepted, [], name);
    assert.match(rejected[0]?.reason.message ?? "", reason, name);
  }
  await bench.putBundle(Buffer.from(JSON.stringify(honest)));
  assert.equal((await bench.verify(key.publicKey)).accepted.length, 1);
});

test("bundle: a signature of the manifest's bytes counts, of other bytes or with another digest it does not", async () => {
  await using bench = await SignatureBench.open();
  const message = (bytes: Uint8Array, digest: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        mediaType: BUNDLE,
        verificationMaterial: { publicKey: {} },
        messageSignature: {
          messageDigest: { algorithm: "SHA2_256", digest: Buffer.from(digest.slice(7), "hex").toString("base64") },
          signature: key.sign(bytes).toString("base64"),
        },
      }),
    );
  await bench.putBundle(message(bench.image.bytes, bench.digest));
  await bench.putBundle(message(bench.image.bytes, OTHER_IMAGE));
  await bench.putBundle(message(Buffer.from("another image"), OTHER_IMAGE));
  await bench.putBundle(message(Buffer.from("another image"), bench.digest));
  const { accepted, rejected } = await bench.verify(key.publicKey);
  assert.deepEqual([accepted.length, rejected.length], [1, 3]);
  assert.equal(accepted[0]?.claim.reference, null);
});

test("bundle: manifests that hold none, or too much, hide no other; attestations are not fetched", async () => {
  await using bench = await SignatureBench.open();
  const honest = writeBundle(signStatement(bench.digest, "host/team/app", { a: "b" }), key);
  const layer = { mediaType: BUNDLE, ...(await bench.putBlob(honest)) };
  const large = { mediaType: BUNDLE, ...(await bench.putBlob(Buffer.alloc(300_000, " "))) };
  await bench.putBundle(honest, { layers: [layer, layer] });
  await bench.putBundle(honest, { layers: [{ ...layer, mediaType: MEDIA_TYPES.layer }] });
  await bench.putBundle(honest, { layers: [large] });
  await bench.putBundle(honest, { layers: [], annotations: { a: "b" } });
  const provenance = { "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1" };
  await bench.putBundle(honest, { layers: [large], annotations: provenance });
  await bench.putBundle(honest, { artifactType: "application/spdx+json" });
  await bench.putBundle(honest);
  const { accepted, rejected } = await bench.verify(key.publicKey);
  assert.deepEqual(
    accepted.map(({ claim }) => claim),
    [{ type: SIGN_PREDICATE, reference: "host/team/app", digest: bench.digest, annotations: { a: "b" } }],
  );
  assert.equal(rejected.length, 4);
});

test("findSignatures: a registry that lists what refers to another image, and one that lists thousands", async () => {
  await using bench = await SignatureBench.open();
  await using elsewhere = await SignatureBench.open();
  const statement = signStatement(bench.digest, "host/team/app", {});
  await elsewhere.putBundle(writeBundle(statement, key));
  const honest = registryPlace(elsewhere.client, elsewhere.reference);
  const listed = await honest.referrers(elsewhere.scope, elsewhere.digest);
  const lying: SignaturePlace = { ...honest, referrers: async () => listed };
  const [found] = await findSignatures(bench.scope, lying, bench.digest);
  assert.ok(found?.format === "unreadable" && /another image/.test(found.fault.message));
  const many: SignaturePlace = { ...lying, referrers: async () => Array(5000).fill(listed[0]) as typeof listed };
  await assert.rejects(findSignatures(bench.scope, many, bench.digest), (error) => isTeuError(error, "exhausted"));
});

test("findSignatures: a place that cannot be asked is an error, not an image without signatures", async () => {
  await using bench = await SignatureBench.open();
  const honest = registryPlace(bench.client, bench.reference);
  const down = (): Promise<never> =>
    Promise.reject(new TeuError({ code: "unavailable", op: "test", message: "the registry is down" }));
  for (const place of [
    { ...honest, tagged: down },
    { ...honest, referrers: down },
  ])
    await assert.rejects(findSignatures(bench.scope, place, bench.digest), (error) => isTeuError(error, "unavailable"));
});
