import assert from "node:assert/strict";
import { test } from "node:test";

import { referenceText } from "@teu/image/reference";

import { parseSyncList } from "./sync-list.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
// The example of skopeo-sync(1).
const LIST = `
registry.example.com:
    images:
        busybox: []
        redis:
            - "1.0"
            - 1.10
            - ${DIGEST}
        nothing:
    images-by-tag-regex:
        nginx: ^1\\.13\\.[12]-alpine-perl$
        folded: (?i)^RC
    credentials:
        username: john
        password: this is a secret
    tls-verify: true
    cert-dir: /home/john/certs
quay.io:
    tls-verify: false
    images:
        coreos/etcd:
            - latest
docker.io:
    images-by-semver:
        alpine: ">= 3.12.0"
`;

test("parseSyncList: skopeo's example", () => {
  const [example, quay, hub, ...others] = parseSyncList("list.yaml", LIST);
  assert.equal(others.length, 0);
  assert.deepEqual(example?.credentials, { username: "john", password: "this is a secret" });
  assert.equal(example?.certDirectory, "/home/john/certs");
  assert.deepEqual([example?.tlsVerify, quay?.tlsVerify, hub?.tlsVerify], [true, false, true]);
  const [busybox, redis, nothing, nginx, folded] = example?.images ?? [];
  for (const all of [busybox, nothing])
    assert.equal(all !== undefined && "test" in all.choice && all.choice.test("x"), true);
  assert.deepEqual(redis !== undefined && "references" in redis.choice && redis.choice.references.map(referenceText), [
    "registry.example.com/redis:1.0",
    "registry.example.com/redis:1.10",
    `registry.example.com/redis@${DIGEST}`,
  ]);
  const takes = (images: typeof nginx, tag: string): boolean =>
    images !== undefined && "test" in images.choice && images.choice.test(tag);
  assert.deepEqual([takes(nginx, "1.13.1-alpine-perl"), takes(nginx, "1.13.3-alpine-perl")], [true, false]);
  assert.equal(takes(folded, "rc1"), true);
  assert.deepEqual([takes(hub?.images[0], "3.13"), takes(hub?.images[0], "edge")], [true, false]);
  assert.equal(
    referenceText(hub?.images[0]?.repository ?? { domain: "", repository: "" }),
    "docker.io/library/alpine:latest",
  );
});

test("parseSyncList: mistakes are named with their place", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /no registry/],
    ["[a, b]", /must be a table/],
    ["a: {images: {b: []}, colour: red}", /\/a\/colour: it is not known/],
    ["a:\n  images: {b: c}", /\/a\/images\/b: it must be a list/],
    ["a:\n  images: {b: ['not a tag']}", /\/a\/images\/b\/0: /],
    ["a:\n  images: {'b:1': []}", /tags and digests stand below/],
    ["a:\n  images: {../b: []}", /\/a\/images\/\.\.\/b: /],
    ["a:\n  images-by-tag-regex: {b: '('}", /\/a\/images-by-tag-regex\/b: /],
    ["a:\n  images-by-semver: {b: 'x y'}", /no range of versions/],
    ["a:\n  images: {b: []}\n  credentials: {username: x}", /password are needed/],
    ["a:\n  images: {b: []}\n  tls-verify: maybe", /true or false/],
    ["a: {}", /\/a: it names no images/],
    ["a:\n  images: {b: []}\na:\n  images: {c: []}", /unique/],
    ["a: [", /.+/],
    ["a: &a [*a]", /.+/],
    [`a: ${"[".repeat(100_000)}`, /.+/],
  ];
  for (const [text, message] of cases)
    assert.throws(() => parseSyncList("list.yaml", text), { code: "invalid", message }, JSON.stringify(text));
});

test("parseSyncList: aliases that multiply are refused", () => {
  let text = "a: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (let level = 1; level < 12; level++)
    text += `b${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(", ")}]\n`;
  assert.throws(() => parseSyncList("list.yaml", text), { code: "invalid" });
});
