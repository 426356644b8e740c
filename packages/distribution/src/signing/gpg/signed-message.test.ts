// Texts with GPG signatures: those that gpg makes, and everything that must not count.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { PacketList, readMessage } from "openpgp";
import { type ErrorCode, isTeuError } from "@teu/base/errors";
import { atomicPayload, clearSigned, detachedSignature, gpgSigned, makeGpgKey } from "@teu/testkit/gpg-keys";

import { LARGEST_PAYLOAD } from "../simple-signing.ts";
import { readKeyrings } from "./keyring.ts";
import { LARGEST_GPG_SIGNATURE } from "./limits.ts";
import { openSignedMessage } from "./signed-message.ts";

const payload = atomicPayload({ digest: `sha256:${"0".repeat(64)}`, reference: "registry.example/team/app:v1" });
const key = await makeGpgKey();
const other = await makeGpgKey();

async function file(name: string): Promise<Uint8Array> {
  return readFile(new URL(`../testdata/gpg/${name}`, import.meta.url));
}

async function open(bytes: Uint8Array, ...keyrings: readonly Uint8Array[]): Promise<Buffer> {
  return Buffer.from(await openSignedMessage(bytes, await readKeyrings(keyrings), new Date()));
}

async function refused(code: ErrorCode, reason: RegExp, attempt: Promise<unknown>, name?: string): Promise<void> {
  await assert.rejects(attempt, (error) => isTeuError(error, code) && reason.test(error.message), name);
}

test("openSignedMessage: the text of what gpg has signed, however it is compressed", async () => {
  const text = await file("payload.json");
  const cases = [
    ["ed25519", "ed25519"],
    ["rsa2048", "rsa2048"],
    ["zlib", "rsa2048"],
    ["bzip2", "rsa2048"],
    ["zlib", "both"],
    ["ed25519", "both"],
    ["subkey", "subkey"],
    ["revoked", "before-revocation"],
  ] as const;
  for (const [name, by] of cases)
    assert.deepEqual(await open(await file(`${name}.signature`), await file(`${by}.pub`)), text, `${name} by ${by}`);
  const strangers = await Promise.all(["dsa2048.pub", "rsa1024.pub", "both.pub"].map(file));
  assert.deepEqual(await open(await file("ed25519.signature"), ...strangers), text);
});

test("openSignedMessage: signatures that gpg makes and that do not count", async () => {
  const cases: readonly (readonly [name: string, by: string, code: ErrorCode, reason: RegExp])[] = [
    ["ed25519", "rsa2048", "denied", /GPG key [0-9A-F]{16}, which is none of the policy's/],
    ["sha1", "rsa2048", "denied", /Insecure message hash algorithm: SHA1/],
    ["rsa1024", "rsa1024", "denied", /RSA keys shorter than 2048 bits/],
    ["dsa2048", "dsa2048", "denied", /dsa keys are considered too weak/],
    ["expired-key", "expired", "denied", /expired/],
    ["expired-signature", "rsa2048", "denied", /Signature is expired/],
    ["revoked", "revoked", "denied", /revoked/],
    ["subkey", "subkey-revoked", "denied", /revoked/],
    ["two", "both", "invalid", /not one text with one signature/],
    ["two", "ed25519", "invalid", /not one text with one signature/],
    ["text", "rsa2048", "invalid", /not of the text's bytes/],
    ["detached", "rsa2048", "invalid", /not one text with one signature/],
    ["encrypted", "rsa2048", "invalid", /not one text with one signature/],
    ["clear", "rsa2048", "invalid", /no OpenPGP message/],
    ["armored", "rsa2048", "invalid", /no OpenPGP message/],
  ];
  for (const [name, by, code, reason] of cases)
    await refused(code, reason, open(await file(`${name}.signature`), await file(`${by}.pub`)), name);
});

test("openSignedMessage: a revocation in one keyring holds for the same key in the other", async () => {
  const [before, after] = [await file("before-revocation.pub"), await file("revoked.pub")];
  const signature = await file("revoked.signature");
  await refused("denied", /revoked/, open(signature, before, after));
  await refused("denied", /revoked/, open(signature, after, before));
});

test("openSignedMessage: a key that ended after it had signed does not count any more, nor one that is yet to come", async () => {
  const [signature, keyring] = [await file("expired-key.signature"), await file("expired.pub")];
  const keys = await readKeyrings([keyring]);
  assert.ok((await openSignedMessage(signature, keys, new Date("2020-01-01T12:00:00Z"))).length > 0);
  for (const now of ["2020-01-03", "2019-12-31"])
    await refused("denied", /./, openSignedMessage(signature, keys, new Date(now)), now);
});

test("openSignedMessage: not a byte may be another", async () => {
  const message = await gpgSigned(payload, key);
  assert.deepEqual(await open(message, key.keyring), payload);
  assert.deepEqual(await open(message, other.keyring, key.keyring), payload);
  await refused("denied", /none of the policy's/, open(message, other.keyring));
  let read = 0;
  for (let at = 0; at < message.length; at++) {
    const changed = Buffer.from(message);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    // Not signed, and without a meaning: the announcement's own account, and the text's name and date.
    const text = await open(changed, key.keyring).catch((error: unknown) => {
      assert.ok(isTeuError(error), String(error));
      return null;
    });
    if (text !== null) read += 1;
    assert.ok(text === null || text.equals(payload), `byte ${at}`);
  }
  assert.ok(read < 40, `${read} bytes do not matter`);
  for (let length = 0; length < message.length; length += 7)
    await refused("invalid", /./, open(message.subarray(0, length), key.keyring), `${length} bytes`);
  await refused("invalid", /./, open(Buffer.concat([message, Buffer.from([0])]), key.keyring));
  await refused("invalid", /./, open(Buffer.concat([message, message]), key.keyring));
});

test("openSignedMessage: other things of OpenPGP are not taken, whoever made them", async () => {
  const message = await gpgSigned(payload, key);
  const { packets } = await readMessage({ binaryMessage: message });
  const [announcement, text] = packets.map((packet) => Buffer.from(packetBytes(packet)));
  assert.ok(announcement !== undefined && text !== undefined);
  const signature = await detachedSignature(payload, key);
  // The old order.
  assert.deepEqual(await open(Buffer.concat([signature, text]), key.keyring), payload);
  assert.deepEqual(await open(compressedOf(message), key.keyring), payload);
  const nested = Buffer.concat([announcement, compressed(message), signature]);
  const twice = compressed(compressed(message));
  const unknown = Buffer.concat([Buffer.from([0xff, 0x01, 0x00]), message]);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["nothing", Buffer.alloc(0)],
    ["the text alone", text],
    ["the signature alone", signature],
    ["a clear-signed text", await clearSigned(payload, key)],
    ["two signatures", await gpgSigned(payload, key, other)],
    ["two signatures of one key", await gpgSigned(payload, key, key)],
    ["two texts", Buffer.concat([announcement, text, text, signature])],
    ["a second signature behind", Buffer.concat([announcement, text, signature, signature])],
    ["a signed message that is signed", nested],
    ["compressed twice", twice],
    ["a packet of no known kind", unknown],
    ["the same behind", Buffer.concat([message, Buffer.from([0xff, 0x01, 0x00])])],
    ["something behind what is compressed", Buffer.concat([compressedOf(message), message])],
    ["a packet of no known kind behind it", Buffer.concat([compressedOf(message), unknown.subarray(0, 3)])],
    ["something behind in what is compressed", compressed(Buffer.concat([message, message]))],
    ["a key", key.keyring],
  ];
  for (const [name, bytes] of cases) await refused("invalid", /./, open(bytes, key.keyring), name);
});

test("openSignedMessage: what unfolds without end costs little", async () => {
  await refused("exhausted", /limit is/, open(Buffer.alloc(LARGEST_GPG_SIGNATURE + 1, 0xa3), key.keyring));
  const bomb = compressed(literal(Buffer.alloc(100 << 20)));
  assert.ok(bomb.length < LARGEST_GPG_SIGNATURE);
  const before = process.memoryUsage().arrayBuffers;
  await refused("invalid", /Maximum decompressed message size/, open(bomb, key.keyring));
  assert.ok(process.memoryUsage().arrayBuffers - before < 20 << 20);
  // By bzip2: 16 MB of zeros in 49 bytes.
  const zeros = "425a6839314159265359406f8795007a8ce000c00002000008200030cc09aa69945490daa45490f177245385090406f87950";
  const tiny = Buffer.concat([Buffer.from([0xa3, 0x03]), Buffer.from(zeros, "hex")]);
  await refused("invalid", /Maximum decompressed size/, open(tiny, key.keyring));
  const long = await gpgSigned(Buffer.alloc(LARGEST_PAYLOAD + (17 << 10)), key);
  await refused("invalid", /Maximum decompressed message size/, open(compressed(long), key.keyring));
});

function packetBytes(packet: { write(): Uint8Array }): Uint8Array {
  const list = new PacketList();
  list.push(packet as never);
  return list.write();
}

/** In one packet, as gpg does it: of the old form, as long as there is something. */
function compressed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0xa3, 0x01]), deflateRawSync(message)]);
}

/** With its length, so that something can follow. */
function compressedOf(message: Uint8Array): Buffer {
  const content = deflateRawSync(message);
  const head = Buffer.from([0xc8, 0xff, 0, 0, 0, 0, 0x01]);
  head.writeUInt32BE(content.length + 1, 2);
  return Buffer.concat([head, content]);
}

function literal(content: Buffer): Buffer {
  const head = Buffer.from([0xcb, 0xff, 0, 0, 0, 0, 0x62, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(content.length + 6, 2);
  return Buffer.concat([head, content]);
}
