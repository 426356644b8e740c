import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { formatTokenScope, parseTokenScope } from "./token-scope.ts";

test("parseTokenScope: cuts type and actions from the ends", () => {
  assert.deepEqual(parseTokenScope("repository:library/busybox:pull,push"), {
    type: "repository",
    name: "library/busybox",
    actions: ["pull", "push"],
  });
  assert.deepEqual(parseTokenScope("repository:host:5000/a:pull"), {
    type: "repository",
    name: "host:5000/a",
    actions: ["pull"],
  });
  assert.deepEqual(parseTokenScope("registry:catalog:*"), { type: "registry", name: "catalog", actions: ["*"] });
  for (const text of ["", "a", "a:b", ":a:b", "a::b", "a b:c:d", "repository:a b:pull"])
    assert.equal(parseTokenScope(text), null, text);
});

test("formatTokenScope: equal scopes have equal texts", () => {
  assert.equal(
    formatTokenScope({ type: "repository", name: "a", actions: ["push", "pull", "push"] }),
    "repository:a:pull,push",
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), (text) => {
      const scope = parseTokenScope(text);
      if (scope !== null && scope.actions.length > 0)
        assert.equal(formatTokenScope(parseTokenScope(formatTokenScope(scope)) ?? scope), formatTokenScope(scope));
    }),
  );
});
