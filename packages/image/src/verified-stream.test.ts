// Verification in the act of reading.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import { digestOf, parseDigest } from "./digest.ts";
import { BlobVerifier, collectBytes, verifyStream, verifyStreamBeside } from "./verified-stream.ts";

const DATA = Buffer.from("some content");

async function* source(size: number = 3): AsyncIterable<Uint8Array> {
  for (let at = 0; at < DATA.length; at += size) yield DATA.subarray(at, at + size);
}

for (const verify of [verifyStream, verifyStreamBeside]) {
  test(`${verify.name}: passes what is right, sha512 too`, async () => {
    for (const digest of [digestOf(DATA), digestOf(DATA, "sha512")]) {
      const bytes = await collectBytes(verify(source(), { digest, size: DATA.length }), 100);
      assert.ok(DATA.equals(bytes));
    }
  });

  test(`${verify.name}: corrupt for another digest or size, at the first byte too many`, async () => {
    for (const expected of [{ digest: digestOf("x") }, { size: DATA.length + 1 }, { size: DATA.length - 1 }]) {
      await assert.rejects(collectBytes(verify(source(), expected), 100), (error) => isTeuError(error, "corrupt"));
    }
    let taken = 0;
    await assert.rejects(async () => {
      for await (const chunk of verify(source(), { size: 4 })) taken += chunk.length;
    });
    assert.ok(taken <= 4, "nothing beyond the declared size is handed on");
  });
}

test("collectBytes: exhausted beyond the limit", async () => {
  await assert.rejects(collectBytes(source(), DATA.length - 1), (error) => isTeuError(error, "exhausted"));
  assert.equal((await collectBytes(source(100), DATA.length)).length, DATA.length);
});

test("BlobVerifier: unsupported for an algorithm that cannot be computed", () => {
  const digest = parseDigest(`blake2:${"0".repeat(64)}`);
  assert.throws(
    () => new BlobVerifier("read", { digest }),
    (error) => isTeuError(error, "unsupported"),
  );
});
