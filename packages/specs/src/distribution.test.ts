// Tests of names, tags and the JSON bodies of a registry.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isRepositoryName, isTag, parseErrorBody, parseTagList } from "./distribution.ts";

const NAMES: readonly [string, boolean][] = [
  ["a", true],
  ["library/busybox", true],
  ["a.b/c_d/e__f/g--h/9", true],
  ["a-----b", true],
  ["x".repeat(255), true],
  ["", false],
  ["A", false],
  ["a/", false],
  ["/a", false],
  ["a//b", false],
  ["a..b", false],
  ["a___b", false],
  ["-a", false],
  ["a_", false],
  ["..", false],
  ["_catalog", false],
  ["a b", false],
  ["a\n", false],
  ["a%2fb", false],
  ["x".repeat(256), false],
];

test("isRepositoryName: the grammar of the spec", () => {
  for (const [name, want] of NAMES) assert.equal(isRepositoryName(name), want, JSON.stringify(name));
});

test("isRepositoryName: linear time when the text nearly matches", () => {
  const start = performance.now();
  assert.equal(isRepositoryName(`${"a-".repeat(120)}!`), false);
  assert.ok(performance.now() - start < 60_000, "takes time that grows without bound");
});

test("isTag: the grammar of the spec", () => {
  for (const tag of ["latest", "_", "v1.0-A", "x".repeat(128)]) assert.ok(isTag(tag), tag);
  for (const tag of ["", ".a", "-a", "a:b", "a/b", "é", "a\n", "x".repeat(129)]) assert.ok(!isTag(tag), tag);
});

test("parseErrorBody: foreign codes and missing messages are taken", () => {
  const body = parseErrorBody(
    Buffer.from('{"errors":[{"code":"X","detail":{"a":1}},{"code":"DENIED","message":"no"}]}'),
  );
  assert.deepEqual(
    body.errors.map((entry) => entry.code),
    ["X", "DENIED"],
  );
  assert.throws(() => parseErrorBody(Buffer.from("<html>")), { code: "invalid" });
  assert.throws(() => parseErrorBody(Buffer.alloc(1 << 20)), /more than the limit/);
});

test("parseTagList: null is an empty list", () => {
  assert.deepEqual(parseTagList(Buffer.from('{"name":"a","tags":null}')), { name: "a", tags: [] });
  assert.throws(() => parseTagList(Buffer.from('{"name":"a","tags":[1]}')), {
    message: "cannot read tag list: /tags/0 must be string, is 1",
  });
});
