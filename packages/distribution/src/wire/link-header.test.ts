import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { formatNextLink, parseNextLink } from "./link-header.ts";

test("parseNextLink: finds the next page and nothing else", () => {
  const cases: readonly [string | undefined, string | null][] = [
    [undefined, null],
    ["", null],
    ['</v2/a?n=1>; rel="next"', "/v2/a?n=1"],
    ["</v2/a>; rel=next", "/v2/a"],
    ['</v2/a>; title="x, y; rel=next>"; rel="next"', "/v2/a"],
    ['</v2/p>; rel="prev", </v2/n>; rel="next"', "/v2/n"],
    ['</v2/a>; rel="prev next"', "/v2/a"],
    ['</v2/a>; rel="nextish"', null],
    ["</v2/a>", null],
    ["</v2/a; rel=next", null],
    ['</v2/a b>; rel="next"', null],
    ['</v2/a\r\nEvil: 1>; rel="next"', null],
    [`<${"a".repeat(20_000)}>; rel="next"`, null],
  ];
  for (const [header, want] of cases) assert.equal(parseNextLink(header), want, header);
});

test("formatNextLink: nothing in a name ends the header (scenario 30)", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (last) => {
      const link = formatNextLink("/v2/a/tags/list", { last, n: "5" });
      assert.match(link, /^<[\x21-\x3d\x3f-\x7e]*>; rel="next"$/);
      const target = parseNextLink(link);
      assert.equal(new URL(target ?? "", "http://x").searchParams.get("last"), last.toWellFormed());
    }),
  );
});

test("parseNextLink: takes any text without failing or hanging", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => void parseNextLink(`<${text}`)));
  assert.equal(parseNextLink('<a>;"'.repeat(3000)), null);
});
