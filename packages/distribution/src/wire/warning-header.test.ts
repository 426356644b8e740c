import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { formatWarning, parseWarnings } from "./warning-header.ts";

test("parseWarnings: only the form of the spec, and not too much of it", () => {
  assert.deepEqual(parseWarnings(['299 - "going away"', '299 - "say \\"hi\\""']), ["going away", 'say "hi"']);
  assert.deepEqual(parseWarnings(['299 agent "x"', '199 - "x"', '299 - "x" "date"', "299 - x"]), []);
  assert.deepEqual(parseWarnings([`299 - "${"a".repeat(5000)}"`]), []);
  assert.deepEqual(parseWarnings(['299 - "\u001b[31mred"']), [" [31mred"]);
});

test("formatWarning: is one header line whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const header = formatWarning(text);
      assert.match(header, /^[\x20-\x7e]*$/);
      assert.equal(parseWarnings([header]).length, 1);
    }),
  );
});
