// Keys of every kind that is taken, against OpenSSL's own program; and those that are not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { accessSync } from "node:fs";
import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { tempRoot } from "@teu/testkit/temp-root";

import { loadPrivateKey } from "./private-key.ts";
import { parsePublicKey } from "./public-key.ts";
import { type KeyKind, KINDS, makeKey, pemOf } from "@teu/testkit/signing-keys";

const OPENSSL = "/usr/bin/openssl";
const message = Buffer.from("what is signed");
const kinds = Object.keys(KINDS) as KeyKind[];

function noOpenssl(): string | false {
  try {
    accessSync(OPENSSL);
    return false;
  } catch {
    return `${OPENSSL} is not installed`;
  }
}

for (const kind of kinds) {
  test(`${kind}: signs for itself, and for no other key or message`, async () => {
    const key = await makeKey(kind);
    const signature = key.sign(message);
    assert.ok(key.publicKey.verifies(message, signature));
    assert.ok(!key.publicKey.verifies(Buffer.from("what is sIgned"), signature));
    for (const other of kinds) {
      const { publicKey } = await makeKey(other);
      assert.ok(!publicKey.verifies(message, signature), publicKey.algorithm);
    }
    for (const bad of [Buffer.alloc(0), signature.subarray(1), Buffer.concat([signature, signature]), Buffer.alloc(64)])
      assert.ok(!key.publicKey.verifies(message, bad), `${bad.length} bytes`);
  });

  test(`${kind}: openssl verifies our signatures, we verify openssl's`, { skip: noOpenssl() }, async () => {
    await using root = await tempRoot();
    const pem = pemOf(KINDS[kind]());
    const key = await loadPrivateKey(pem, async () => "");
    const file = (name: string): string => root.join(name);
    await writeFile(file("key"), pem);
    await writeFile(file("pub"), key.publicKey.pem);
    await writeFile(file("message"), message);
    await writeFile(file("signature"), key.sign(message));
    const openssl = (...argv: string[]): Buffer => execFileSync(OPENSSL, argv, { stdio: ["ignore", "pipe", "pipe"] });
    if (kind === "Ed25519") {
      const files = ["-rawin", "-in", file("message")];
      openssl("pkeyutl", "-verify", "-pubin", "-inkey", file("pub"), "-sigfile", file("signature"), ...files);
      const made = openssl("pkeyutl", "-sign", "-inkey", file("key"), ...files);
      assert.ok(key.publicKey.verifies(message, made));
    } else {
      openssl("dgst", "-sha256", "-verify", file("pub"), "-signature", file("signature"), file("message"));
      assert.ok(key.publicKey.verifies(message, openssl("dgst", "-sha256", "-sign", file("key"), file("message"))));
    }
  });
}

test("verifies: a signature of the same key by another algorithm is none", async () => {
  const ec = KINDS["P-256"]();
  const p256 = parsePublicKey(createPublicKey(ec).export({ type: "spki", format: "pem" }).toString());
  // Two numbers side by side, as JWTs have it, are not DER.
  assert.ok(!p256.verifies(message, sign("sha256", message, { key: ec, dsaEncoding: "ieee-p1363" })));
  for (const hash of ["sha1", "sha384", "sha512"])
    assert.ok(!p256.verifies(message, sign(hash, message, ec)), `ECDSA with ${hash}`);
  const rsa = KINDS.RSA();
  const key = parsePublicKey(createPublicKey(rsa).export({ type: "spki", format: "pem" }).toString());
  assert.ok(!key.verifies(message, sign("sha1", message, rsa)), "RSA with sha1");
  assert.ok(!key.verifies(message, sign("sha256", message, { key: rsa, padding: 6, saltLength: 32 })), "RSA-PSS");
  // The public key is no secret of an HMAC.
  for (const secret of [p256.pem, p256.der])
    assert.ok(!p256.verifies(message, createHmac("sha256", secret).update(message).digest()));
});

test("parsePublicKey: refuses what nobody should sign with, and files that are not one public key", () => {
  const spki = (type: "ec" | "rsa" | "rsa-pss" | "dsa" | "ed448" | "x25519", options: object): string =>
    generateKeyPairSync(type as "ec", options as { namedCurve: string })
      .publicKey.export({ type: "spki", format: "pem" })
      .toString();
  const good = spki("ec", { namedCurve: "P-256" });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const cases: readonly [string, string, ErrorCode][] = [
    ["RSA 1024", spki("rsa", { modulusLength: 1024 }), "unsupported"],
    ["secp256k1", spki("ec", { namedCurve: "secp256k1" }), "unsupported"],
    ["RSA-PSS", spki("rsa-pss", { modulusLength: 2048 }), "unsupported"],
    ["Ed448", spki("ed448", {}), "unsupported"],
    ["X25519", spki("x25519", {}), "unsupported"],
    ["a private key", privateKey.export({ type: "pkcs8", format: "pem" }).toString(), "invalid"],
    ["two keys", good + good, "invalid"],
    ["nothing", "", "invalid"],
    ["no end", good.replace(/-----END.*/, ""), "invalid"],
    ["other bytes", good.replace(/\n[A-Za-z0-9+/]{10}/, "\nAAAAAAAAAA"), "invalid"],
    ["a certificate's label", good.replaceAll("PUBLIC KEY", "CERTIFICATE"), "invalid"],
    ["a megabyte", "-".repeat(1 << 20), "invalid"],
  ];
  for (const [name, text, code] of cases)
    assert.throws(
      () => parsePublicKey(text),
      (error) => isTeuError(error, code),
      name,
    );
  assert.equal(parsePublicKey(good.replaceAll("\n", "\r\n")).algorithm, "ECDSA P-256");
});

test("loadPrivateKey: plain and PKCS#8-encrypted PEM of OpenSSL; a password is asked for only when it is needed", async () => {
  const ec = KINDS["P-256"]();
  const rsa = KINDS.RSA();
  const never = (): Promise<string> => Promise.reject(new Error("asked for a password"));
  const plain = [
    ec.export({ type: "pkcs8", format: "pem" }),
    ec.export({ type: "sec1", format: "pem" }),
    rsa.export({ type: "pkcs1", format: "pem" }),
  ];
  for (const text of plain) assert.ok((await loadPrivateKey(text.toString(), never)).publicKey.pem.length > 0);
  const sealed = ec.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" }).toString();
  assert.equal((await loadPrivateKey(sealed, async () => "secret")).publicKey.algorithm, "ECDSA P-256");
  await assert.rejects(
    loadPrivateKey(sealed, async () => "wrong"),
    (error) => isTeuError(error, "denied"),
  );
  const publicPem = createPublicKey(ec).export({ type: "spki", format: "pem" }).toString();
  await assert.rejects(loadPrivateKey(publicPem, never), (error) => isTeuError(error, "invalid"));
});
