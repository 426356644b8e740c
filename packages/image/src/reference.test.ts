// References: Docker's normalisation, both ways, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { isTeuError } from "@teu/base/errors";

import { parseDigest } from "./digest.ts";
import {
  familiarName,
  familiarText,
  isRepository,
  isTag,
  parseReference,
  referenceName,
  referenceText,
  withDigest,
  withTag,
} from "./reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

const GOOD: readonly { input: string; full: string; familiar: string }[] = [
  { input: "busybox", full: "docker.io/library/busybox:latest", familiar: "busybox:latest" },
  { input: "busybox:1.36", full: "docker.io/library/busybox:1.36", familiar: "busybox:1.36" },
  { input: "user/app", full: "docker.io/user/app:latest", familiar: "user/app:latest" },
  { input: "docker.io/busybox", full: "docker.io/library/busybox:latest", familiar: "busybox:latest" },
  { input: "index.docker.io/library/busybox", full: "docker.io/library/busybox:latest", familiar: "busybox:latest" },
  { input: "docker.io/library/a/b:t", full: "docker.io/library/a/b:t", familiar: "library/a/b:t" },
  { input: "localhost/app", full: "localhost/app:latest", familiar: "localhost/app:latest" },
  { input: "localhost:5000", full: "docker.io/library/localhost:5000", familiar: "localhost:5000" },
  { input: "localhost:5000/a/b:t", full: "localhost:5000/a/b:t", familiar: "localhost:5000/a/b:t" },
  {
    input: `localhost:5000/a/b:t@${DIGEST}`,
    full: `localhost:5000/a/b:t@${DIGEST}`,
    familiar: `localhost:5000/a/b:t@${DIGEST}`,
  },
  { input: `busybox@${DIGEST}`, full: `docker.io/library/busybox@${DIGEST}`, familiar: `busybox@${DIGEST}` },
  { input: "[::1]:5000/app", full: "[::1]:5000/app:latest", familiar: "[::1]:5000/app:latest" },
  { input: "Host/app", full: "Host/app:latest", familiar: "Host/app:latest" },
  {
    input: "quay.io/a__b/c--d/e.f:V_1.0-x",
    full: "quay.io/a__b/c--d/e.f:V_1.0-x",
    familiar: "quay.io/a__b/c--d/e.f:V_1.0-x",
  },
  { input: "127.0.0.1:5000/x", full: "127.0.0.1:5000/x:latest", familiar: "127.0.0.1:5000/x:latest" },
];

for (const { input, full, familiar } of GOOD) {
  test(`parseReference: ${input} is ${full}`, () => {
    const reference = parseReference(input);
    assert.equal(referenceText(reference), full);
    assert.equal(familiarText(reference), familiar);
    assert.deepEqual(parseReference(full), reference);
    assert.deepEqual(parseReference(familiar), reference);
  });
}

test("parseReference: invalid with the part that is wrong", () => {
  const bad: readonly [string, RegExp][] = [
    ["", /missing/],
    ["a".repeat(64), /image id/],
    ["Busybox", /lower case/],
    ["quay.io/App", /lower case/],
    ["a//b", /part ""/],
    ["a/", /part ""/],
    ["/a", /part ""/],
    ["a..b", /part "a\.\.b"/],
    ["quay.io/../x", /part "\.\."/],
    ["-a", /part/],
    ["a:", /tag/],
    ["a:-x", /tag/],
    ["a:b c", /tag/],
    [`a:${"t".repeat(129)}`, /tag/],
    ["a@", /digest/],
    ["a@sha256:00", /digest/],
    ["a@sha256:../../x", /digest/],
    ["ho_st.x/a", /host name/],
    ["host:port/a", /host name/],
    ["host:123456/a", /host name/],
    ["http://host/a", /host name|part/],
    ["a b", /part/],
    ["a\n", /part/],
    [`quay.io/${"a/".repeat(130)}b`, /longer/],
    ["x".repeat(2000), /longer/],
  ];
  for (const [text, message] of bad) {
    assert.throws(
      () => parseReference(text),
      (error) => isTeuError(error, "invalid") && message.test(error.message),
      text,
    );
  }
});

test("parseReference: only ever throws invalid, and its text reads back the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."abAB019.:/@_-[]% ") }), (text) => {
      try {
        const reference = parseReference(text);
        assert.deepEqual(parseReference(referenceText(reference)), reference);
        assert.deepEqual(parseReference(familiarText(reference)), reference);
      } catch (error) {
        if (!isTeuError(error, "invalid")) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test("withTag, withDigest: another reference to the same repository", () => {
  const reference = parseReference(`quay.io/a:one@${DIGEST}`);
  assert.equal(referenceText(withTag(reference, "two")), "quay.io/a:two");
  assert.throws(
    () => withTag(reference, "bad tag"),
    (error) => isTeuError(error, "invalid"),
  );
  assert.equal(
    referenceText(withDigest(parseReference("quay.io/a:one"), parseDigest(DIGEST))),
    `quay.io/a:one@${DIGEST}`,
  );
  assert.equal(referenceName(reference), "quay.io/a");
  assert.equal(familiarName(parseReference("busybox:x")), "busybox");
});

test("isTag, isRepository: the grammars alone", () => {
  assert.ok(isTag("_x.1-2") && !isTag(".x") && !isTag(""));
  assert.ok(isRepository("a/b_c") && !isRepository("a/B") && !isRepository("") && !isRepository("a//b"));
});
