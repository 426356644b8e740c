// Small files are read whole, and larger ones not.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import { readLimitedFile } from "./limited-file.ts";

test("readLimitedFile: files up to the limit, whatever is read at once, and exhausted beyond it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-limited-"));
  try {
    const file = join(directory, "file");
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 31) >> 4));
    for (const length of [0, 1, 16_383, 16_384, 16_385, 32_768, 65_536, 99_999, 100_000]) {
      writeFileSync(file, content.subarray(0, length));
      assert.ok(content.subarray(0, length).equals(await readLimitedFile(file, 100_000)), `${length}`);
      assert.ok(content.subarray(0, length).equals(await readLimitedFile(file, length)), `${length}, the limit`);
      if (length === 0) continue;
      await assert.rejects(readLimitedFile(file, length - 1), (error) => isTeuError(error, "exhausted"));
    }
    await assert.rejects(readLimitedFile(join(directory, "none"), 10), { code: "ENOENT" });
    // One that does not end.
    await assert.rejects(readLimitedFile("/dev/zero", 50_000), (error) => isTeuError(error, "exhausted"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
