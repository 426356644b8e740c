import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError, TeuError } from "@teu/base/errors";
import { referenceText } from "@teu/image/reference";
import { parseTransportName, withMeaning } from "./transport-name.ts";

const HEX = "a".repeat(64);

test("parseTransportName: as skopeo, crane and regctl write them", () => {
  const cases: readonly [text: string, ...wanted: (string | undefined)[]][] = [
    ["docker://alpine", "docker", "docker.io/library/alpine:latest"],
    ["alpine:3", "docker", "docker.io/library/alpine:3"],
    ["localhost:5000/a/b:c", "docker", "localhost:5000/a/b:c"],
    [`quay.io/a@sha256:${HEX}`, "docker", `quay.io/a@sha256:${HEX}`],
    ["oci:dir", "oci", "dir", undefined],
    ["oci:/a/b:v1", "oci", "/a/b", "v1"],
    ["oci:dir:quay.io/a/b:v1", "oci", "dir", "quay.io/a/b:v1"],
    ["oci:dir:@1", "oci", "dir", "@1"],
    [`oci:dir@sha256:${HEX}`, "oci", "dir", `@sha256:${HEX}`],
    [`ocidir://dir:v1@sha256:${HEX}`, "oci", "dir", `@sha256:${HEX}`],
    ["ocidir://dir:v1", "oci", "dir", "v1"],
    ["oci-archive:f.tar:v1", "oci-archive", "f.tar", "v1"],
    ["docker-archive:f.tar:a/b:v1", "docker-archive", "f.tar", "a/b:v1"],
    ["docker-archive:f.tar", "docker-archive", "f.tar", undefined],
    ["dir:/a:b", "dir", "/a:b", undefined],
    ["containers:a:b", "containers", undefined, "a:b"],
    ["docker-daemon:busybox", "docker-daemon", undefined, "busybox:latest"],
    ["docker-daemon:localhost:5000/a:v1", "docker-daemon", undefined, "localhost:5000/a:v1"],
    [`docker-daemon:sha256:${HEX}`, "docker-daemon", undefined, `sha256:${HEX}`],
  ];
  for (const [text, transport, first, second] of cases) {
    const name = parseTransportName(text);
    assert.equal(name.transport, transport, text);
    if (name.transport === "docker") assert.equal(referenceText(name.reference), first, text);
    else
      assert.deepEqual(
        ["path" in name ? name.path : undefined, "image" in name ? name.image : undefined],
        [first, second],
        text,
      );
  }
});

test("parseTransportName: an unknown transport is told from names with tags and hosts with ports", () => {
  for (const [text, hint] of [
    ["bogus://x/y", /places begin with docker:\/\//],
    ["bogus:/tmp/x", /places begin with/],
    ["oci-archve:./f.tar", /did you mean oci-archive:\?/],
    ["bogus:", /places begin with/],
  ] as const)
    assert.throws(
      () => parseTransportName(text),
      (error) => isTeuError(error, "invalid") && /unknown transport/.test(error.what) && hint.test(error.hint ?? ""),
      text,
    );
  for (const text of ["app:v1", "docker:24", "host:5000/app", "host.example:5000/a/b:v1"])
    assert.equal(parseTransportName(text).transport, "docker", text);
});

test("withMeaning: says what a bare name was taken for", () => {
  const error = new TeuError({ code: "not-found", op: "pull manifest", subject: "s", message: "manifest unknown" });
  const hint = (text: string): string | undefined => (withMeaning(error, text) as TeuError).hint;
  assert.equal(hint("hello"), '"hello" is docker.io/library/hello:latest; this host\'s image is containers:hello');
  assert.equal(hint("docker://hello"), undefined);
  assert.equal(hint("localhost:5000/hello"), undefined);
});

test("parseTransportName: refuses what names no place, and other tools' stores with what to do instead", () => {
  for (const text of ["oci:", "oci::v1", "dir:", "containers:", "oci-archive:", "docker-daemon:"])
    assert.throws(
      () => parseTransportName(text),
      (error) => isTeuError(error, "invalid") && error.detail["usage"] === true,
      text,
    );
  for (const text of ["containers-storage:a", "sif:a"])
    assert.throws(
      () => parseTransportName(text),
      (error) => isTeuError(error, "unsupported") && error.hint !== undefined,
      text,
    );
  assert.throws(
    () => parseTransportName("docker://UPPER/Case:x"),
    (error) => isTeuError(error, "invalid"),
  );
});
