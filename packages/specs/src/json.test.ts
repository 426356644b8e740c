// Tests of the strict JSON reader: what JSON.parse lets pass, what it refuses, where the fault is said to be.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseJson } from "./json.ts";

const FAULTS: readonly { name: string; text: string; want: string }[] = [
  { name: "empty", text: "", want: "cannot read JSON: want a value, found the end at line 1, column 1" },
  {
    name: "duplicate name",
    text: '{"a":1,\n "a":2}',
    want: 'cannot read JSON: duplicate name "a" at line 2, column 2',
  },
  {
    name: "duplicate name in disguise",
    text: '{"a":1,"\\u0061":2}',
    want: 'cannot read JSON: duplicate name "a" at line 1, column 8',
  },
  {
    name: "duplicate name below",
    text: '[{"x":{"y":1,"y":1}}]',
    want: 'cannot read JSON: duplicate name "y" at line 1, column 14',
  },
  {
    name: "duplicate __proto__",
    text: '{"__proto__":1,"__proto__":2}',
    want: 'cannot read JSON: duplicate name "__proto__" at line 1, column 16',
  },
  { name: "trailing comma", text: "[1,]", want: 'cannot read JSON: want a value, found "]" at line 1, column 4' },
  { name: "trailing text", text: "{} x", want: 'cannot read JSON: want the end, found "x" at line 1, column 4' },
  { name: "two documents", text: "{}{}", want: 'cannot read JSON: want the end, found "{" at line 1, column 3' },
  {
    name: "single quotes",
    text: "{'a':1}",
    want: `cannot read JSON: want a name in quotes, found "'" at line 1, column 2`,
  },
  { name: "comment", text: "{/**/}", want: 'cannot read JSON: want a name in quotes, found "/" at line 1, column 2' },
  {
    name: "byte order mark",
    text: "\ufeff{}",
    want: 'cannot read JSON: want a value, found "\ufeff" at line 1, column 1',
  },
  {
    name: "control character",
    text: '"a\tb"',
    want: "cannot read JSON: a string that is not closed or holds a control character or a bad escape at line 1, column 1",
  },
  { name: "NaN", text: "[NaN]", want: 'cannot read JSON: want a value, found "N" at line 1, column 2' },
  { name: "leading zero", text: "[01]", want: 'cannot read JSON: want "," or "]", found "1" at line 1, column 3' },
  { name: "half a pair", text: '["\\ud800"]', want: "cannot read JSON: half a surrogate pair at line 1, column 2" },
  {
    name: "half a pair as name",
    text: '{"\\udc00":1}',
    want: "cannot read JSON: half a surrogate pair at line 1, column 2",
  },
  { name: "no colon", text: '{"a" 1}', want: 'cannot read JSON: want ":", found "1" at line 1, column 6' },
];

for (const { name, text, want } of FAULTS) {
  test(`parseJson: says where and why when given: ${name}`, () => {
    assert.throws(() => parseJson(text), { code: "invalid", message: want });
  });
}

test("parseJson: invalid when nested deeper than the limit", () => {
  assert.deepEqual(parseJson("[[1]]", { maxDepth: 2 }), [[1]]);
  assert.throws(() => parseJson("[[[1]]]", { maxDepth: 2 }), {
    message: "cannot read JSON: nested deeper than 2 at line 1, column 3",
  });
  const bomb = "[".repeat(500_000) + "]".repeat(500_000);
  assert.throws(() => parseJson(bomb), { message: "cannot read JSON: nested deeper than 64 at line 1, column 65" });
});

test("parseJson: invalid when longer than the limit, before anything is read", () => {
  assert.throws(() => parseJson("[1, 2]", { document: "list", maxLength: 5 }), {
    message: "cannot read list: 6 characters are more than the limit of 5",
  });
});

test("parseJson: own member when a name is __proto__", () => {
  const value = parseJson('{"__proto__":{"a":1}}') as object;
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test("parseJson: same value as JSON.parse when the text came from JSON.stringify", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      if (!text.isWellFormed() || /\\ud[89a-f]/.test(text)) return;
      assert.deepEqual(parseJson(text), JSON.parse(text));
    }),
  );
});

test("parseJson: refuses whatever JSON.parse refuses when a text is damaged", () => {
  const text = '{"a":[1,-2.5e3,true,null,"x\\n\\u00e9\\"\\\\"],"b":{"c":{}}}';
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom("", '"', "\\", "{", "}", "]", ",", ":", "0", "\u0000"),
      (at, put) => {
        const damaged = text.slice(0, at) + put + text.slice(at + 1);
        let standard: unknown;
        try {
          standard = JSON.parse(damaged);
        } catch {
          assert.throws(() => parseJson(damaged), { code: "invalid" });
          return;
        }
        assert.deepEqual(parseJson(damaged), standard);
      },
    ),
    { numRuns: 500 },
  );
});
