import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { formatChallenge, parseChallenges } from "./challenge.ts";

function flat(...headers: readonly string[]): unknown {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test("parseChallenges: reads what registries send", () => {
  assert.deepEqual(flat('Bearer realm="https://auth/token",service="r",scope="repository:a/b:pull,push"'), [
    ["bearer", { realm: "https://auth/token", service: "r", scope: "repository:a/b:pull,push" }],
  ]);
  assert.deepEqual(flat('Basic realm="x", Bearer realm="y" , service = z'), [
    ["basic", { realm: "x" }],
    ["bearer", { realm: "y", service: "z" }],
  ]);
  assert.deepEqual(flat('Basic realm="a"', 'Bearer realm="b"'), [
    ["basic", { realm: "a" }],
    ["bearer", { realm: "b" }],
  ]);
  assert.deepEqual(flat('Bearer realm="say \\"hi\\"",error="invalid_token"'), [
    ["bearer", { realm: 'say "hi"', error: "invalid_token" }],
  ]);
  assert.deepEqual(flat("Negotiate"), [["negotiate", {}]]);
});

test("parseChallenges: stops at what is malformed", () => {
  assert.deepEqual(flat('Bearer realm="unfinished'), [["bearer", {}]]);
  assert.deepEqual(flat("=x"), []);
  assert.deepEqual(flat(`Bearer realm="${"a".repeat(9000)}"`), []);
  assert.deepEqual(flat('Bearer realm="a",realm="b"'), [["bearer", { realm: "a" }]]);
});

test("formatChallenge: reads back, whatever the values", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), (value) => {
      const text = formatChallenge("Bearer", { realm: value });
      assert.doesNotMatch(text, /[\r\n\0]/);
      const clean = value.replace(/[\x00-\x1f\x7f]/g, "");
      assert.equal(parseChallenges([text])[0]?.parameters.get("realm"), clean);
    }),
  );
});

test("parseChallenges: takes any text without failing", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 500 }),
      (text) => void parseChallenges([text, `Bearer ${text}`]),
    ),
  );
});
