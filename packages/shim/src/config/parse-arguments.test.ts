// parseArguments: the one spelling, and everything else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseArguments } from "./parse-arguments.ts";

test("parseArguments: the three commands", () => {
  assert.deepEqual(parseArguments(["--config", "/x"]), { kind: "run", config: "/x" });
  assert.deepEqual(parseArguments(["--config=/x", "--cleanup"]), { kind: "cleanup", config: "/x" });
  assert.deepEqual(parseArguments(["--version"]), { kind: "version" });
});

test("parseArguments: mounts of images", () => {
  assert.deepEqual(parseArguments(["--mount", "/x"]), { kind: "mount", file: "/x" });
  assert.deepEqual(parseArguments(["--unmount", "/x"]), { kind: "unmount", path: "/x", force: false });
  assert.deepEqual(parseArguments(["--unmount", "/x", "--force"]), { kind: "unmount", path: "/x", force: true });
});

for (const args of [
  ["--mount"],
  ["--mount", "/x", "--force"],
  ["--unmount"],
  ["--unmount", "/x", "more"],
  [],
  ["--config"],
  ["--cleanup"],
  ["run"],
  ["--config", "/x", "more"],
]) {
  test(`parseArguments: invalid for ${JSON.stringify(args)}`, () => {
    assert.throws(
      () => parseArguments(args),
      (error) => isTeuError(error, "invalid"),
    );
  });
}
