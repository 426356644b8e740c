import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";

import { headersFor, resolveTarget } from "./redirects.ts";

test("resolveTarget: takes what may be followed and refuses the rest", () => {
  const cases: readonly [string, string, string | null][] = [
    ["https://r.example/v2/a", "/b", "https://r.example/b"],
    ["https://r.example/v2/a", "https://cdn.example/x?sig=1#f", "https://cdn.example/x?sig=1"],
    ["https://r.example/v2/a", "https://user:pw@cdn.example/", "https://cdn.example/"],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:6000/", "http://127.0.0.1:6000/"],
    ["https://r.example/", "http://r.example/", null],
    ["https://r.example/", "https://127.0.0.1/", null],
    ["https://r.example/", "https://localhost/", null],
    ["https://r.example/", "https://[::1]/", null],
    ["https://r.example/", "https://169.254.169.254/", null],
    ["https://r.example/", "https://2852039166/", null],
    ["https://r.example/", "https://[::ffff:169.254.169.254]/", null],
    ["https://r.example/", "https://[fe80::1]/", null],
    ["https://r.example/", "gopher://r.example/", null],
    ["https://r.example/", "javascript:alert(1)", null],
    ["https://r.example/", "//", null],
  ];
  for (const [from, location, want] of cases) {
    if (want === null)
      assert.throws(
        () => resolveTarget(new URL(from), location),
        (error) => isTeuError(error, "denied"),
        location,
      );
    else assert.equal(resolveTarget(new URL(from), location).href, want);
  }
});

test("headersFor: only harmless headers reach another origin (scenario 23)", () => {
  const headers = {
    authorization: "Bearer x",
    cookie: "a=b",
    "x-custom": "secret",
    accept: "text/plain",
    range: "bytes=0-1",
  };
  const home = new URL("https://r.example/");
  assert.deepEqual(headersFor(headers, home, new URL("https://r.example/other")), headers);
  for (const other of ["https://r.example:444/", "http://r.example/", "https://sub.r.example/"]) {
    assert.deepEqual(headersFor(headers, home, new URL(other)), { accept: "text/plain", range: "bytes=0-1" }, other);
  }
});
