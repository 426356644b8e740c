// Private keys as cosign encrypts them: published vectors of securesystemslib, a key that cosign made, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isTeuError } from "@teu/base/errors";

import { decryptKey, encryptKey } from "./encrypted-key.ts";
import { generateKeyPairFiles, loadPrivateKey } from "./private-key.ts";
import { openSecretbox, sealSecretbox } from "./secretbox.ts";

// encrypted_test.go of go-securesystemslib: "supersecret" opens them.
const VECTORS = [
  [
    32_768,
    "WO3mVvyTwJ9vwT5/Tk5OW5WPIBUofMjcpEfrLnfY4uA=",
    "tCy7HcTFr4uxv4Nrg/DWmncuZ148U1MX",
    "08n43p5G5yviPEZpO7tPPF4aZQkWiWjkv4taFdhDBA0tamKH4nw=",
  ],
  [
    65_536,
    "FhzPOt9/bJG4PTq6lQ6ecG6GzaOuOy/ynG5+yRiFlNs=",
    "aw1ng1jHaDz/tQ7V2gR9O2+IGQ8xJEuE",
    "HycvuLZL4sYH0BrYTh4E/H20VtAW6u5zL5Pr+IBjYLYnCPzDkq8=",
  ],
  [
    131_072,
    "m38E3kouJTtiheLQN22NQ8DTito5hrjpUIskqcd375k=",
    "Y6PM13yA+o44pE/W1ZBwczeGnTV/m9Zc",
    "6H8sqj1K6B6yDjtH5AQ6lbFigg/C2yDDJc4rYJ79w9aVPImFIPI=",
  ],
] as const;

function document(
  changes: { N?: unknown; r?: unknown; salt?: string; nonce?: string; ciphertext?: string; kdf?: string } = {},
): Buffer {
  const [N, salt, nonce, ciphertext] = VECTORS[0];
  const params = { N: changes.N ?? N, r: changes.r ?? 8, p: 1 };
  return Buffer.from(
    JSON.stringify({
      kdf: { name: changes.kdf ?? "scrypt", params, salt: changes.salt ?? salt },
      cipher: { name: "nacl/secretbox", nonce: changes.nonce ?? nonce },
      ciphertext: changes.ciphertext ?? ciphertext,
    }),
  );
}

for (const [N, salt, nonce, ciphertext] of VECTORS) {
  test(`decryptKey: opens what securesystemslib sealed with N ${N}`, async () => {
    const plain = await decryptKey(document({ N, salt, nonce, ciphertext }), "supersecret");
    assert.equal(Buffer.from(plain).toString(), '"cmVhbGx5aW1wb3J0YW50"');
  });
}

test("decryptKey: refuses other passwords, changed texts, and parameters that cosign never uses", async () => {
  const [, , , ciphertext] = VECTORS[0];
  const changed = Buffer.from(ciphertext, "base64");
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  const cases: readonly [string, Buffer, string, ErrorCode][] = [
    ["another password", document(), "Supersecret", "denied"],
    ["a changed byte", document({ ciphertext: changed.toString("base64") }), "supersecret", "denied"],
    ["a ciphertext shorter than its tag", document({ ciphertext: "AAAA" }), "supersecret", "denied"],
    ["costs that would take all memory", document({ N: 2 ** 30 }), "supersecret", "unsupported"],
    ["costs of the wrong type", document({ N: "32768" }), "supersecret", "unsupported"],
    ["another r", document({ r: 800_000 }), "supersecret", "unsupported"],
    ["another derivation", document({ kdf: "none" }), "supersecret", "unsupported"],
    ["a short nonce", document({ nonce: "AAAA" }), "supersecret", "invalid"],
    ["a salt that is not base64", document({ salt: "****" }), "supersecret", "invalid"],
    ["no JSON", Buffer.from("{"), "supersecret", "invalid"],
    ["a duplicate name", Buffer.from('{"kdf":{},"kdf":{}}'), "supersecret", "invalid"],
  ];
  for (const [name, bytes, password, code] of cases)
    await assert.rejects(decryptKey(bytes, password), (error) => isTeuError(error, code), name);
});

test("encryptKey, decryptKey: round trip, never twice the same", async () => {
  const plain = Buffer.from("a key of no particular length, longer than one block of the cipher ".repeat(3));
  const sealed = await encryptKey(plain, "pass word");
  assert.notDeepEqual(sealed, await encryptKey(plain, "pass word"));
  assert.deepEqual(Buffer.from(await decryptKey(sealed, "pass word")), plain);
});

test("secretbox: any length, and no changed bit goes unnoticed", () => {
  const key = Buffer.alloc(32, 7);
  const nonce = Buffer.alloc(24, 9);
  for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 200]) {
    const message = Buffer.alloc(length, length);
    const box = sealSecretbox(message, nonce, key);
    assert.deepEqual(Buffer.from(openSecretbox(box, nonce, key) ?? [-1]), message, `${length} bytes`);
    for (let i = 0; i < box.length; i += 7) {
      const changed = Uint8Array.from(box);
      changed[i] = (changed[i] ?? 0) ^ 0x10;
      assert.equal(openSecretbox(changed, nonce, key), null, `${length} bytes, byte ${i}`);
    }
  }
});

// Made by cosign with an empty password (a fixture of conforma/cli).
const MADE_BY_COSIGN = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJLYU9OQzduQVJLOVgxM1FoaWFucjAwTTBGYys2Sitr
dnAxN1FuanpiVk9nPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJVOHZqWWtqMlZOUFZGdlZFZWZ3bXZ5VGloUERrelBoaCJ9LCJj
aXBoZXJ0ZXh0IjoidWNWMnQ4TTZVNFJvb29FOXc0d3dkc3E1RDYrS2RKY245dERT
KzFwRDRGN040SVJOWEgzSTBua3h1a3NackFOUHR1emIvTkVYQ201dUp3Zjh3Qzl1
VlprbXdwNU5jRUZ6b3ZNS3JCZmNvdXdjaEkrMzkrQ0NhbVZPbzBucmRnZjhvcmpK
dXdrWDBYL1phY0RUTERGaUxyc1laMWVMMmlqMGU1MVRpZmVQNTl4WXNPK1FnM1Jv
OURRVjNQMk9ndDFDaVFHeGg1VXhUZytGc3c9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`;

test("loadPrivateKey: reads cosign's files, under the older label too", async () => {
  for (const text of [MADE_BY_COSIGN, MADE_BY_COSIGN.replaceAll("SIGSTORE", "COSIGN")]) {
    const key = await loadPrivateKey(text, async () => "");
    assert.equal(key.publicKey.algorithm, "ECDSA P-256");
    assert.equal(key.publicKey.hint, "6h7JpM4ycoPvTUaCpqXTGui8B/sOcEPxs0NOZeeuO+g=");
  }
  await assert.rejects(
    loadPrivateKey(MADE_BY_COSIGN, async () => "x"),
    (error) => isTeuError(error, "denied"),
  );
});

test("generateKeyPairFiles: the halves belong together, and the private one needs its password", async () => {
  const files = await generateKeyPairFiles("secret");
  assert.match(files.privateKey, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
  const key = await loadPrivateKey(files.privateKey, async () => "secret");
  assert.equal(key.publicKey.pem, files.publicKey);
  await assert.rejects(
    loadPrivateKey(files.privateKey, async () => ""),
    (error) => isTeuError(error, "denied"),
  );
});
