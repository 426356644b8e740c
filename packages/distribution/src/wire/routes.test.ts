import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { blobPath, manifestPath, matchRoute, type Route, uploadPath, uploadsPath } from "./routes.ts";

const D = `sha256:${"a".repeat(64)}`;

const CASES: readonly { readonly path: string; readonly want: Route | null }[] = [
  { path: "/v2/", want: { kind: "ping" } },
  { path: "/v2", want: { kind: "ping" } },
  { path: "/v2/_catalog", want: { kind: "catalog" } },
  { path: "/v2/_oci/ext/discover", want: { kind: "extensions" } },
  { path: "/v2/a/manifests/latest", want: { kind: "manifest", repository: "a", reference: "latest" } },
  { path: "/v2/a/b/c/manifests/latest", want: { kind: "manifest", repository: "a/b/c", reference: "latest" } },
  // Names that look like routes are names (scenario 16).
  { path: "/v2/a/manifests/b/manifests/c", want: { kind: "manifest", repository: "a/manifests/b", reference: "c" } },
  { path: "/v2/blobs/blobs/x", want: { kind: "blob", repository: "blobs", digest: "x" } },
  { path: "/v2/blobs/uploads/manifests/x", want: { kind: "manifest", repository: "blobs/uploads", reference: "x" } },
  { path: "/v2/tags/tags/list", want: { kind: "tags", repository: "tags" } },
  { path: `/v2/a/blobs/${D}`, want: { kind: "blob", repository: "a", digest: D } },
  { path: `/v2/a/blobs/sha256%3A${"a".repeat(64)}`, want: { kind: "blob", repository: "a", digest: D } },
  { path: "/v2/a/blobs/uploads/", want: { kind: "uploads", repository: "a" } },
  { path: "/v2/a/blobs/uploads", want: { kind: "uploads", repository: "a" } },
  { path: "/v2/a/b/blobs/uploads/id", want: { kind: "upload", repository: "a/b", id: "id" } },
  { path: `/v2/a/referrers/${D}`, want: { kind: "referrers", repository: "a", digest: D } },
  // An encoded slash stays in the name and makes it ill-formed.
  { path: "/v2/a%2fb/manifests/c", want: { kind: "manifest", repository: "a%2fb", reference: "c" } },
  { path: "/v2/a/manifests/%zz", want: null },
  { path: "/v2/a/manifests/", want: null },
  { path: "/v2/manifests/x", want: null },
  { path: "/v2/a/tags/other", want: null },
  { path: "/v1/a/manifests/x", want: null },
  { path: "", want: null },
];

test("matchRoute: finds the parts of a path", () => {
  for (const { path, want } of CASES) assert.deepEqual(matchRoute(path), want, path);
});

test("matchRoute: reads back what the path functions print", () => {
  const name = fc.stringMatching(/^[a-z0-9]{1,8}(\/(blobs|uploads|manifests|tags|referrers|[a-z0-9]{1,8})){0,3}$/);
  fc.assert(
    fc.property(name, fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/), (repository, text) => {
      assert.deepEqual(matchRoute(manifestPath(repository, text)), { kind: "manifest", repository, reference: text });
      assert.deepEqual(matchRoute(uploadPath(repository, `${text}-`)), { kind: "upload", repository, id: `${text}-` });
      assert.deepEqual(matchRoute(uploadsPath(repository)), { kind: "uploads", repository });
      if (text !== "uploads")
        assert.deepEqual(matchRoute(blobPath(repository, text)), { kind: "blob", repository, digest: text });
    }),
  );
});

test("matchRoute: takes any text without failing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (path) => void matchRoute(path)));
});
