// Paths in Merkle trees: of trees that are made here, of every size and place, and one of the public log.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { newSigningKey, publicDer } from "@teu/testkit/signer-authority";

import { verifyInclusion } from "./inclusion-proof.ts";
import { printPem } from "./pem.ts";
import { parsePublicKey, type PublicKey } from "./public-key.ts";
import { StrictJson } from "./strict-json.ts";

const json = new StrictJson("log entry");
const logKey = newSigningKey();
const log = parsePublicKey(printPem("PUBLIC KEY", publicDer(logKey)));
const stranger = parsePublicKey(printPem("PUBLIC KEY", publicDer(newSigningKey())));
const hash = (...parts: readonly Buffer[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
const leaves = Array.from({ length: 20 }, (_, i) => Buffer.from(`entry ${i}`));

/** As RFC 9162 defines it: the largest power of two that is smaller than the number of leaves is to the left. */
function split(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}

function rootOf(entries: readonly Buffer[]): Buffer {
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return hash(Buffer.from([0]), only);
  const at = split(entries.length);
  return hash(Buffer.from([1]), rootOf(entries.slice(0, at)), rootOf(entries.slice(at)));
}

function pathOf(index: number, entries: readonly Buffer[]): readonly Buffer[] {
  if (entries.length === 1) return [];
  const at = split(entries.length);
  const [left, right] = [entries.slice(0, at), entries.slice(at)];
  return index < at ? [...pathOf(index, left), rootOf(right)] : [...pathOf(index - at, right), rootOf(left)];
}

function note(text: string, by: typeof logKey = logKey): string {
  const signature = Buffer.concat([Buffer.from("hint"), sign("sha256", Buffer.from(text), by)]);
  return `${text}\n\u2014 log.example ${signature.toString("base64")}\n`;
}

function proofOf(index: number, size: number, changes: object = {}): Record<string, unknown> {
  const entries = leaves.slice(0, size);
  const root = rootOf(entries).toString("base64");
  return {
    logIndex: String(index),
    treeSize: String(size),
    rootHash: root,
    hashes: pathOf(index, entries).map((one) => one.toString("base64")),
    checkpoint: { envelope: note(`log.example - 1\n${size}\n${root}\n`) },
    ...changes,
  };
}

function verify(proof: Record<string, unknown>, entry: Buffer, logs: readonly PublicKey[] = [log]): void {
  verifyInclusion(json, proof, entry, logs);
}

test("verifyInclusion: every leaf of trees of every size, and no other one", () => {
  for (let size = 1; size <= leaves.length; size++) {
    for (let index = 0; index < size; index++) {
      const proof = proofOf(index, size);
      verify(proof, leaves[index] ?? Buffer.alloc(0));
      assert.throws(() => verify(proof, Buffer.from("another")), /does not lead to the log's root/);
      for (let other = 0; other <= size; other++)
        if (other !== index)
          assert.throws(() => verify({ ...proof, logIndex: String(other) }, leaves[index] ?? Buffer.alloc(0)), /./);
    }
  }
});

test("verifyInclusion: no node passes for a leaf, and no path may have more or less", () => {
  const proof = proofOf(4, 9);
  const hashes = proof["hashes"] as readonly string[];
  const entry = leaves[4] ?? Buffer.alloc(0);
  const inner = Buffer.concat([rootOf(leaves.slice(0, 1)), rootOf(leaves.slice(1, 2))]);
  assert.throws(() => verify(proofOf(0, 2, { treeSize: "1", hashes: [] }), inner), isTeuError);
  for (const changed of [hashes.slice(1), hashes.slice(0, -1), [...hashes, hashes[0]], hashes.toReversed(), []])
    assert.throws(() => verify({ ...proof, hashes: changed }, entry), /does not lead to the log's root/);
});

test("verifyInclusion: the root is one that a trusted log has signed", () => {
  const entry = leaves[4] ?? Buffer.alloc(0);
  const good = proofOf(4, 9);
  const { rootHash } = good;
  const text = `log.example - 1\n9\n${String(rootHash)}\n`;
  const foreign = newSigningKey();
  const signed = note(text);
  const cases: readonly (readonly [name: string, changes: object, reason: RegExp])[] = [
    ["nobody", { checkpoint: { envelope: `${text}\n` } }, /no trusted log has signed/],
    ["a stranger", { checkpoint: { envelope: note(text, foreign) } }, /no trusted log has signed/],
    ["another size", { checkpoint: { envelope: note(text.replace("\n9\n", "\n10\n")) } }, /of another tree/],
    ["another root", { checkpoint: { envelope: note(`log.example - 1\n9\n${"A".repeat(43)}=\n`) } }, /of another tree/],
    ["more text", { checkpoint: { envelope: signed.replace("log.example", "log.example.evil") } }, /no trusted log/],
    ["no end", { checkpoint: { envelope: text } }, /of another tree/],
    ["no text", { checkpoint: { envelope: "" } }, /of another tree/],
    ["a line that is no signature", { checkpoint: { envelope: `${signed}x\n` } }, /signature of the checkpoint/],
    ["too long", { checkpoint: { envelope: signed + "\n".repeat(10_000) } }, /more than/],
    ["no checkpoint", { checkpoint: undefined }, /checkpoint/],
    ["a size that is a number", { treeSize: 9 }, /treeSize/],
    ["a size with a sign", { treeSize: "-9" }, /treeSize/],
    ["a size of its own form", { treeSize: "09" }, /treeSize/],
    ["a place beyond", { logIndex: "9" }, /does not lead/],
    ["a short hash", { hashes: ["AAAA"] }, /3 bytes/],
    ["a path without end", { hashes: Array.from({ length: 65 }, () => rootHash) }, /65 hashes/],
  ];
  for (const [name, changes, reason] of cases)
    assert.throws(() => verify({ ...good, ...changes }, entry), reason, name);
  verify(good, entry, [stranger, log]);
  assert.throws(() => verify(good, entry, [stranger]), /no trusted log has signed/);
  assert.throws(() => verify(good, entry, []), /no trusted log has signed/);
  // Witnesses sign as well.
  const witness = note(text, foreign).slice(text.length + 1);
  verify({ ...good, checkpoint: { envelope: `${text}\n${witness}${signed.slice(text.length + 1)}` } }, entry);
});

test("verifyInclusion: a log with a key on Ed25519", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const proof = proofOf(2, 3);
  const text = `log.example\n3\n${String(proof["rootHash"])}\n`;
  const signature = Buffer.concat([Buffer.from("hint"), sign(null, Buffer.from(text), privateKey)]).toString("base64");
  const envelope = `${text}\n\u2014 log.example ${signature}\n`;
  const key = parsePublicKey(printPem("PUBLIC KEY", publicDer(privateKey)));
  verify({ ...proof, checkpoint: { envelope } }, leaves[2] ?? Buffer.alloc(0), [key]);
});

test("verifyInclusion: an entry of the public log", () => {
  const file = new URL("testdata/oci-attestation.sigstore.json", import.meta.url);
  const { verificationMaterial } = JSON.parse(readFileSync(file, "utf8")) as {
    verificationMaterial: { tlogEntries: { canonicalizedBody: string; inclusionProof: Record<string, unknown> }[] };
  };
  const [entry] = verificationMaterial.tlogEntries;
  assert.ok(entry !== undefined);
  const body = Buffer.from(entry.canonicalizedBody, "base64");
  const rekor = parsePublicKey(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwr
kBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==
-----END PUBLIC KEY-----
`);
  verify(entry.inclusionProof, body, [rekor]);
  assert.throws(() => verify(entry.inclusionProof, body, [log]), /no trusted log has signed/);
  assert.throws(() => verify(entry.inclusionProof, Buffer.concat([body, body]), [rekor]), /does not lead/);
});
