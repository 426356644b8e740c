// Keyrings: the forms in which they come, and that what is not understood trusts nobody.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { armor, enums } from "openpgp";
import { isTeuError } from "@teu/base/errors";
import { makeGpgKey } from "@teu/testkit/gpg-keys";

import { readKeyrings } from "./keyring.ts";
import { LARGEST_KEYRING } from "./limits.ts";

const key = await makeGpgKey();
const other = await makeGpgKey();
const both = Buffer.concat([key.keyring, other.keyring]);

function armored(bytes: Uint8Array): string {
  return armor(enums.armor.publicKey, bytes);
}

async function fingerprints(...files: readonly (Uint8Array | string)[]): Promise<readonly string[]> {
  const keys = await readKeyrings(files.map((file) => Buffer.from(file)));
  return keys.map((one) => one.getFingerprint()).toSorted();
}

test("readKeyrings: binary and armored, one key or several, in one block or several, with words between", async () => {
  const [one, two] = [key, other].map(({ publicKey }) => publicKey.getFingerprint());
  const all = [one, two].toSorted();
  assert.deepEqual(await fingerprints(key.keyring), [one]);
  assert.deepEqual(await fingerprints(both), all);
  assert.deepEqual(await fingerprints(armored(both)), all);
  assert.deepEqual(await fingerprints(key.keyring, armored(other.keyring)), all);
  const file = `The keys of somebody.\n\n${armored(key.keyring)}\nand another one\n${armored(other.keyring)}\n`;
  assert.deepEqual(await fingerprints(file), all);
  assert.deepEqual(await fingerprints(file.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")), all);
  assert.deepEqual(await fingerprints(both, key.keyring, file), all);
});

test("readKeyrings: what gpg exports", async () => {
  for (const [name, count] of [
    ["both.pub", 2],
    ["ed25519.pub", 1],
    ["rsa2048.pub", 1],
    ["subkey.pub", 1],
    ["revoked.pub", 1],
  ] as const) {
    const bytes = await readFile(new URL(`../testdata/gpg/${name}`, import.meta.url));
    assert.equal((await fingerprints(bytes)).length, count, name);
  }
});

test("readKeyrings: anything else makes the whole unusable", async () => {
  const secret = Buffer.from(key.privateKey.write());
  const cases: readonly (readonly [string, Uint8Array | string])[] = [
    ["nothing", ""],
    ["words", "no keys here\n"],
    ["a key of another kind", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
    ["half a key", key.keyring.subarray(0, key.keyring.length / 2)],
    ["a key and something else", Buffer.concat([key.keyring, Buffer.from("something else")])],
    ["a private key", secret],
    ["an armored private key", key.privateKey.armor()],
    ["a private key behind a public one", `${armored(key.keyring)}\n${key.privateKey.armor()}`],
    ["a private key in a public one's block", armored(Buffer.concat([other.keyring, secret]))],
    ["a block that does not end", armored(key.keyring).slice(0, 200)],
    ["no key in a block", armored(Buffer.alloc(0))],
    ["many blocks", armored(key.keyring).repeat(101)],
  ];
  for (const [name, file] of cases)
    await assert.rejects(fingerprints(both, file), (error) => isTeuError(error, "invalid"), name);
  const large = Buffer.alloc(LARGEST_KEYRING + 1, key.keyring);
  await assert.rejects(fingerprints(large), (error) => isTeuError(error, "exhausted"));
});
