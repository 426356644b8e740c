// The prehashed form of Ed25519: RFC 8032's vector, and what is none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { verifyEd25519ph } from "./ed25519ph.ts";

// RFC 8032, 7.3.
const KEY = Buffer.from("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", "hex");
const SIGNATURE = Buffer.from(
  "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
  "hex",
);
const MESSAGE = Buffer.from("abc");

test("verifyEd25519ph: takes the vector of RFC 8032", () => {
  assert.ok(verifyEd25519ph(KEY, MESSAGE, SIGNATURE));
});

test("verifyEd25519ph: refuses other messages, keys and signatures, each bit of them", () => {
  const changed = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  assert.ok(!verifyEd25519ph(KEY, Buffer.from("abd"), SIGNATURE));
  for (const at of [0, 15, 31]) assert.ok(!verifyEd25519ph(changed(KEY, at), MESSAGE, SIGNATURE), `key ${at}`);
  for (const at of [0, 31, 32, 63])
    assert.ok(!verifyEd25519ph(KEY, MESSAGE, changed(SIGNATURE, at)), `signature ${at}`);
  for (const length of [0, 63, 65]) assert.ok(!verifyEd25519ph(KEY, MESSAGE, Buffer.alloc(length)), `${length} bytes`);
});

test("verifyEd25519ph: refuses keys of small order, points that are none, and an S beyond the order", () => {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const little = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
  const s = BigInt(`0x${Buffer.from(SIGNATURE.subarray(32)).reverse().toString("hex")}`);
  const second = Buffer.concat([SIGNATURE.subarray(0, 32), little(s + order)]);
  assert.ok(!verifyEd25519ph(KEY, MESSAGE, second));
  const neutral = little(1n);
  // With the neutral element as key and as R, S = 0 would fit every message.
  assert.ok(!verifyEd25519ph(neutral, MESSAGE, Buffer.concat([neutral, Buffer.alloc(32)])));
  for (const y of [2n ** 255n - 19n, 2n ** 255n - 1n, 2n]) {
    assert.ok(!verifyEd25519ph(little(y), MESSAGE, SIGNATURE));
    assert.ok(!verifyEd25519ph(KEY, MESSAGE, Buffer.concat([little(y), SIGNATURE.subarray(32)])));
  }
});
