// Configs and chain ids.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";

import { topChainId } from "./chain-id.ts";
import { digestOf } from "./digest.ts";
import {
  checkHistory,
  emptyImageConfig,
  withContainerConfig,
  withCreated,
  withHistory,
  withLayer,
} from "./image-config.ts";

const AMD64 = { os: "linux", architecture: "amd64" };
const [A, B] = [digestOf("a"), digestOf("b")];

test("withLayer, withHistory: new values, history and layers in step", () => {
  const empty = emptyImageConfig(AMD64, "2024-01-01T00:00:00Z");
  const config = withHistory(withLayer(withLayer(empty, A, { created_by: "one" }), B), { created_by: "three" });
  assert.deepEqual(empty.rootfs.diff_ids, []);
  assert.deepEqual(config.rootfs.diff_ids, [A, B]);
  assert.deepEqual(config.history, [{ created_by: "one" }, {}, { created_by: "three", empty_layer: true }]);
  checkHistory(config);
  assert.throws(
    () => checkHistory({ ...config, history: [{}] }),
    (error) => isTeuError(error, "invalid"),
  );
});

test("withLayer: an image without history gets an entry for each layer it had", () => {
  const { history: _, ...bare } = emptyImageConfig(AMD64);
  const config = withLayer({ ...bare, rootfs: { type: "layers", diff_ids: [A] } }, B, { created_by: "x" });
  assert.deepEqual(config.history, [{}, { created_by: "x" }]);
});

test("withContainerConfig, withCreated: sets, removes, keeps the unknown", () => {
  const config = withContainerConfig(
    { ...emptyImageConfig(AMD64), config: { User: "a", Cmd: ["x"], Odd: 1 } as never },
    { User: undefined, Env: ["A=b"] },
  );
  assert.deepEqual(config.config, { Cmd: ["x"], Odd: 1, Env: ["A=b"] });
  assert.equal(withCreated(config, "2024-01-01T00:00:00Z").created, "2024-01-01T00:00:00Z");
});

test("topChainId: as image-spec computes it", () => {
  const two = digestOf(`${A} ${B}`);
  assert.deepEqual([[], [A], [A, B], [A, B, A]].map(topChainId), [null, A, two, digestOf(`${two} ${A}`)]);
});
