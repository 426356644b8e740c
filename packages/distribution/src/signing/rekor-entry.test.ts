// A signature that cosign 2 made and Rekor recorded: everything about it is public, and everything has to fit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { digestOf } from "@teu/image/digest";

import { parsePublicKey } from "./public-key.ts";
import { LOG_ANNOTATION, verifyLogEntry } from "./rekor-entry.ts";
import { simpleSigningPayload } from "./simple-signing.ts";
import { makeKey } from "@teu/testkit/signing-keys";
import { trustInKeys } from "./verify-image.ts";

// ghcr.io/freedomofpress/dangerzone/v1, as its makers describe it in their post on signed images.
const IMAGE = "sha256:7396780b5862cf8b37527854a2a2331e5c746b6a71aa1f424258c3bfaf3a1bd7";
const PAYLOAD = "sha256:88b8a2ac5b829f47bd25a5a4d9c2ccb0fccff7f53a17477b6d9b5680436aa80f";
const SIGNATURE = "MEQCIAQScnT03MVfmxjYyW5qAmvQ6TSoukPuw0HmSVlMBwYEAiAzGb76cvDb4CHJ+H6tD00bW1Sh1CK6opaRmI2ist4p2A==";
const KEY = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3CUlnwh825Z5wQAJV6TekEi6bCK2
YvAg7A+aeerM5hvc4CCCJFBae5AjnsjGHv4V/3xzssck6e51W+b0jU4qVw==
-----END PUBLIC KEY-----
`;
const REKOR = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwr
kBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==
-----END PUBLIC KEY-----
`;
const BODY = {
  apiVersion: "0.0.1",
  kind: "hashedrekord",
  spec: {
    data: { hash: { algorithm: "sha256", value: PAYLOAD.slice(7) } },
    signature: { content: SIGNATURE, publicKey: { content: Buffer.from(KEY).toString("base64") } },
  },
};
const ENTRY = {
  SignedEntryTimestamp:
    "MEYCIQCsAt/PgYO2WFKoQX/P42vXCWJVUEgqRLXZ0BlrKwY40QIhAOTu/oE7jDtL8XP4PiZJhJ3nSlW3yXUp5ErSmjedzdCv",
  Payload: {
    body: Buffer.from(JSON.stringify(BODY)).toString("base64"),
    integratedTime: 1_770_622_892,
    logIndex: 929_816_779,
    logID: "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d",
  },
};

const key = parsePublicKey(KEY);
const log = parsePublicKey(REKOR);
const payload = simpleSigningPayload(IMAGE as ReturnType<typeof digestOf>, "ghcr.io/freedomofpress/dangerzone/v1", {});
const signature = Buffer.from(SIGNATURE, "base64");
const about = { payload, signature, key };

test("cosign: our payload is byte for byte what cosign signed, and its key verifies", () => {
  assert.equal(digestOf(payload), PAYLOAD);
  assert.ok(key.verifies(payload, signature));
});

test("verifyLogEntry: takes the entry of the public log", () => {
  verifyLogEntry(JSON.stringify(ENTRY), [log], about);
});

test("verifyLogEntry: refuses entries that are of something else, or that no trusted log has signed", async () => {
  const { Payload } = ENTRY;
  const stranger = await makeKey();
  const entry = (changes: object): string => JSON.stringify({ ...ENTRY, Payload: { ...Payload, ...changes } });
  const cases: readonly [string, () => void, RegExp][] = [
    ["another time", () => verifyLogEntry(entry({ integratedTime: 1 }), [log], about), /no trusted log/],
    ["another place", () => verifyLogEntry(entry({ logIndex: 1 }), [log], about), /no trusted log/],
    ["another log", () => verifyLogEntry(entry({ logID: "00" }), [log], about), /no trusted log/],
    ["a body of one's own", () => verifyLogEntry(entry({ body: "e30=" }), [log], about), /no trusted log/],
    [
      "a log that is not trusted",
      () => verifyLogEntry(JSON.stringify(ENTRY), [stranger.publicKey], about),
      /no trusted log/,
    ],
    ["no log", () => verifyLogEntry(JSON.stringify(ENTRY), [], about), /no trusted log/],
    [
      "another payload",
      () => verifyLogEntry(JSON.stringify(ENTRY), [log], { ...about, payload: Buffer.from("x") }),
      /another payload/,
    ],
    [
      "another signature",
      () => verifyLogEntry(JSON.stringify(ENTRY), [log], { ...about, signature: Buffer.from("x") }),
      /another signature/,
    ],
    [
      "another key",
      () => verifyLogEntry(JSON.stringify(ENTRY), [log], { ...about, key: stranger.publicKey }),
      /another key/,
    ],
    ["a time that is a text", () => verifyLogEntry(entry({ integratedTime: "1" }), [log], about), /whole numbers/],
    ["no JSON", () => verifyLogEntry("{", [log], about), /log entry/],
    ["an empty object", () => verifyLogEntry("{}", [log], about), /Payload is missing/],
  ];
  for (const [name, attempt, reason] of cases)
    assert.throws(attempt, (error) => isTeuError(error) && reason.test(error.message), name);
});

test("trustInKeys: with a log, signatures without an entry do not count", () => {
  const found = { format: "tag", name: "x", payload, signature: SIGNATURE } as const;
  // The image's manifest is not known here: what is asked is only how far the signature gets.
  const image = { descriptor: { mediaType: "", digest: digestOf("x"), size: 1 }, bytes: Buffer.from("x") };
  const attempt = (annotations: Readonly<Record<string, string>>, logs: readonly (typeof log)[] | null): void => {
    trustInKeys([key], logs).verify({ ...found, annotations }, image);
  };
  assert.throws(() => attempt({}, [log]), /the signature has none/);
  assert.throws(() => attempt({ [LOG_ANNOTATION]: "{}" }, [log]), /Payload is missing/);
  assert.throws(() => attempt({ [LOG_ANNOTATION]: JSON.stringify(ENTRY) }, [log]), /another image/);
  assert.throws(() => attempt({}, null), /another image/);
});
