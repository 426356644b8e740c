import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { DetachKeys } from "./detach-keys.ts";

const pass = (keys: string, ...chunks: number[][]): { sent: number[]; detached: boolean } => {
  const filter = new DetachKeys(keys);
  const results = chunks.map((chunk) => filter.pass(Uint8Array.from(chunk)));
  return { sent: results.flatMap(({ data }) => [...data]), detached: results.some(({ detached }) => detached) };
};

test("DetachKeys: the sequence detaches, also over two chunks, and is not sent", () => {
  assert.deepEqual(pass("ctrl-p,ctrl-q", [65, 16, 17]), { sent: [65], detached: true });
  assert.deepEqual(pass("ctrl-p,ctrl-q", [16], [17]), { sent: [], detached: true });
});

test("DetachKeys: a sequence begun and not ended is sent", () => {
  assert.deepEqual(pass("ctrl-p,ctrl-q", [16, 65], [17]), { sent: [16, 65, 17], detached: false });
  assert.deepEqual(pass("ctrl-p,ctrl-q", [16, 16, 17]), { sent: [16], detached: true });
});

test("DetachKeys: plain and named keys; anything else is `invalid`", () => {
  assert.deepEqual(pass("a,ctrl-[", [97, 27]), { sent: [], detached: true });
  for (const keys of ["ctrl-", "ctrl-pp", "", "alt-x"])
    assert.throws(
      () => new DetachKeys(keys),
      (error) => isTeuError(error, "invalid"),
      keys,
    );
});
