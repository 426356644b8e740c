// Digests: grammar, registered algorithms, computation.

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import {
  createDigester,
  createPoolDigester,
  digestAlgorithm,
  digestEncoded,
  digestOf,
  isDigest,
  parseDigest,
  shortDigest,
} from "./digest.ts";

const HEX = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

test("parseDigest: takes registered and unknown algorithms that fit the grammar", () => {
  const good = [
    `sha256:${HEX}`,
    `sha512:${HEX}${HEX}`,
    `blake3:${HEX}`,
    "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
    "a.b_c-d+e:x=_-Y",
  ];
  for (const text of good) assert.equal(parseDigest(text), text);
});

test("parseDigest: invalid for everything else, paths above all", () => {
  const bad = [
    "",
    ":",
    "sha256",
    "sha256:",
    `sha256:${HEX.slice(1)}`,
    `sha256:${HEX}0`,
    `sha256:${HEX.toUpperCase()}`,
    `SHA256:${HEX}`,
    "sha256:../../etc/passwd",
    "../x:y",
    "sha256:..",
    "a/b:c",
    "x:a/b",
    "x:a.b",
    ".x:a",
    "x.:a",
    "x..y:a",
    "x:a\n",
    "x:a\0",
    `sha512:${HEX}`,
    ` sha256:${HEX}`,
    `x:${"a".repeat(600)}`,
  ];
  for (const text of bad) {
    assert.throws(
      () => parseDigest(text),
      (error) => isTeuError(error, "invalid"),
      text,
    );
    assert.equal(isDigest(text), false);
  }
  assert.throws(
    () => parseDigest(5 as never),
    (error) => isTeuError(error, "invalid"),
  );
});

test("digestOf, createDigester: agree, and count", () => {
  assert.equal(digestOf("{}"), `sha256:${HEX}`);
  const digester = createDigester("sha512");
  digester.update(Buffer.from("{"));
  digester.update(Buffer.from("}"));
  assert.equal(digester.size, 2);
  assert.equal(digester.digest(), digestOf("{}", "sha512"));
});

test("createPoolDigester: the digest of createDigester, of every algorithm", async () => {
  const bytes = Buffer.alloc(300_000, "teu");
  for (const algorithm of ["sha256", "sha512", "blake3"] as const) {
    const pool = createPoolDigester(algorithm);
    for (let at = 0; at < bytes.length; at += 70_000) await pool.update(bytes.subarray(at, at + 70_000));
    assert.equal(pool.size, bytes.length);
    assert.equal(pool.digest(), digestOf(bytes, algorithm));
  }
});

test("createPoolDigester: bytes of an open file, as many as there are", async () => {
  const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, index) => (index * index) % 251));
  const directory = mkdtempSync(join(tmpdir(), "teu-digest-"));
  try {
    const path = join(directory, "blob");
    writeFileSync(path, bytes);
    for (const algorithm of ["sha256", "sha512", "blake3"] as const) {
      const fd = openSync(path, "r");
      const pool = createPoolDigester(algorithm);
      assert.equal(await pool.updateFromFile(fd, 0, 1_500_000), 1_500_000);
      assert.equal(await pool.updateFromFile(fd, 1_500_000, 9_000_000), 1_500_001);
      assert.equal(await pool.updateFromFile(fd, bytes.length, 10), 0);
      closeSync(fd);
      assert.equal(pool.size, bytes.length);
      assert.equal(pool.digest(), digestOf(bytes, algorithm));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("createDigester: unsupported when it cannot be computed", () => {
  for (const name of ["md5", "blake2", "", "constructor"]) {
    assert.throws(
      () => createDigester(name),
      (error) => isTeuError(error, "unsupported"),
      name,
    );
  }
});

test("digestAlgorithm, digestEncoded, shortDigest: the parts", () => {
  const digest = parseDigest(`sha256:${HEX}`);
  assert.equal(digestAlgorithm(digest), "sha256");
  assert.equal(digestEncoded(digest), HEX);
  assert.equal(shortDigest(digest), "44136fa355b3");
});
