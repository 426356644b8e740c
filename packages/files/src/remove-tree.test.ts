// removeTreeSync beside somebody who removes from the same directory.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { removeTreeSync } from "./remove-tree.ts";

const ROUNDS = 1_000;
const IDLE = 0;
const GO = 1;
const STOP = 2;

// Unlinks one file of each round's directory, while the test removes the directory.
const OTHER = `
  const { unlinkSync } = require("node:fs");
  const { workerData } = require("node:worker_threads");
  const turn = new Int32Array(workerData.shared);
  for (;;) {
    const now = Atomics.load(turn, 0);
    if (now === ${STOP}) break;
    if (now !== ${GO}) continue;
    try { unlinkSync(workerData.file); } catch (error) { if (error.code !== "ENOENT") throw error; }
    Atomics.store(turn, 0, ${IDLE});
  }
`;

function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "teu-remove-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("removeTreeSync: whole, also when somebody else removes an entry meanwhile", async () => {
  using directory = temporary();
  const place = join(directory.path, "container");
  const shared = new SharedArrayBuffer(4);
  const turn = new Int32Array(shared);
  const other = new Worker(OTHER, { eval: true, workerData: { shared, file: join(place, "shim.sock") } });
  await new Promise((resolve) => other.once("online", resolve));
  let left = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      mkdirSync(place);
      for (const name of ["a", "b", "shim.sock", "x"]) writeFileSync(join(place, name), "");
      Atomics.store(turn, 0, GO);
      removeTreeSync(place);
      if (existsSync(place)) left++;
      while (Atomics.load(turn, 0) === GO);
      removeTreeSync(place);
    }
  } finally {
    Atomics.store(turn, 0, STOP);
    await other.terminate();
  }
  assert.equal(left, 0);
});

test("removeTreeSync: a missing one is fine, a symlink goes alone, a file too", () => {
  using directory = temporary();
  const at = (name: string) => join(directory.path, name);
  removeTreeSync(at("none"));
  mkdirSync(at("kept"));
  writeFileSync(at("kept/file"), "");
  symlinkSync("kept", at("link"));
  removeTreeSync(at("link"));
  assert.equal(existsSync(at("kept/file")), true);
  removeTreeSync(at("kept/file"));
  assert.equal(existsSync(at("kept/file")), false);
  assert.equal(existsSync(at("link")), false);
});
