import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { leftovers, machineState } from "./leftovers.ts";

test("leftovers: what is new and nothing that was there or has gone", () => {
  const before = { mount: new Set(["/a", "/b"]), process: new Set<string>() };
  assert.deepEqual(leftovers(before, { mount: new Set(["/b"]), process: new Set<string>() }), []);
  assert.deepEqual(leftovers(before, { mount: new Set(["/b", "/c"]), process: new Set(["7 teu-shim"]) }), [
    "mount /c",
    "process 7 teu-shim",
  ]);
});

test("machineState: sees a temporary directory with our name", () => {
  const before = machineState();
  const directory = mkdtempSync(join(tmpdir(), "teu-left-"));
  try {
    assert.ok(leftovers(before, machineState()).includes(`temporary file ${basename(directory)}`));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
