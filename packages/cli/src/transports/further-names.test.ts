import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseFurtherNames } from "./further-names.ts";
import { parseTransportName } from "./transport-name.ts";

test("parseFurtherNames: tags on a registry, ref.names in a layout, names with a tag elsewhere", () => {
  for (const [place, text, wanted] of [
    ["docker://localhost:5000/app:v1", "v2", "v2"],
    ["docker://localhost:5000/app:v1", "localhost:5000/app:v2", "v2"],
    ["alpine", "docker.io/library/alpine:3", "3"],
    ["oci:dir:v1", "quay.io/a/b:v2", "quay.io/a/b:v2"],
    ["oci-archive:f.tar", "latest", "latest"],
    ["docker-archive:f.tar:a:v1", "docker.io/library/a:v2", "a:v2"],
    ["docker-daemon:a:v1", "localhost:5000/a:v2", "localhost:5000/a:v2"],
    ["containers:a", "b:v2", "b:v2"],
  ] as const)
    assert.deepEqual(parseFurtherNames(parseTransportName(place), [text]), [wanted], `${place} ${text}`);
});

test("parseFurtherNames: refuses what the place cannot call an image", () => {
  for (const [place, text] of [
    ["docker://localhost:5000/app:v1", "localhost:5000/other:v2"],
    ["docker://localhost:5000/app:v1", `localhost:5000/app@sha256:${"a".repeat(64)}`],
    ["oci:dir:v1", "a b"],
    ["oci:dir:v1", "@0"],
    ["docker-archive:f.tar", "a"],
    ["docker-archive:f.tar", "localhost:5000/a"],
    ["containers:a", `a@sha256:${"a".repeat(64)}`],
    ["dir:d", "a:v1"],
  ] as const)
    assert.throws(
      () => parseFurtherNames(parseTransportName(place), [text]),
      (error) => isTeuError(error, "invalid") && error.detail["usage"] === true,
      `${place} ${text}`,
    );
});
