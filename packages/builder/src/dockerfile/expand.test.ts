import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTeuError } from "@teu/base/errors";
import { expandWord } from "./expand.ts";

const VALUES: Readonly<Record<string, string>> = {
  a: "A",
  empty: "",
  path: "/usr/local/bin",
  file: "x.tar.gz",
  star: "a*b",
  HOME: "/root",
  _x1: "u",
};
const variables = (name: string): string | undefined => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined);

const CASES: readonly (readonly [string, string])[] = [
  ["plain", "plain"],
  ["$a", "A"],
  ["${a}", "A"],
  ["x${a}y", "xAy"],
  ["$a$a", "AA"],
  ["$nope", ""],
  ["${nope}", ""],
  ["$_x1", "u"],
  ["$", "$"],
  ["a$", "a$"],
  ["$ a", "$ a"],
  ["$/x", "$/x"],
  ["\\$a", "$a"],
  ["\\${a}", "${a}"],
  ["'$a'", "$a"],
  ['"$a"', "A"],
  ['"\\$a"', "$a"],
  ['"a\\b"', "a\\b"],
  ['"\\""', '"'],
  ["\\'", "'"],
  ["a\\ b", "a b"],
  ["'a b'\"c d\"", "a bc d"],
  ["trail\\", "trail"],
  ["${a:-d}", "A"],
  ["${empty:-d}", "d"],
  ["${empty-d}", ""],
  ["${nope-d}", "d"],
  ["${nope:-d}", "d"],
  ["${nope:-$a}", "A"],
  ["${nope:-${a}x}", "Ax"],
  ["${a:+d}", "d"],
  ["${empty:+d}", ""],
  ["${empty+d}", "d"],
  ["${nope+d}", ""],
  ["${a:?no}", "A"],
  ["${empty?no}", ""],
  ["${nope:-'q r'}", "q r"],
  ["${nope:-\\}}", "}"],
  ["${path#/*/}", "local/bin"],
  ["${path##*/}", "bin"],
  ["${path%/*}", "/usr/local"],
  ["${path%%/*}", ""],
  ["${file%.*}", "x.tar"],
  ["${file%%.*}", "x"],
  ["${file#?}", ".tar.gz"],
  ["${star#a\\*}", "b"],
  ["${star#a?}", "b"],
  ["${a#[A]}", "A"],
  ["${nope#x}", ""],
  ["${path/local/opt}", "/usr/opt/bin"],
  ["${file//./_}", "x_tar_gz"],
  ["${file/./_}", "x_tar.gz"],
  ["${path//\\//-}", "-usr-local-bin"],
  ["${file/x/$a}", "A.tar.gz"],
  ["$1", ""],
  ["$10", ""],
  ["$@", ""],
  ["$*", ""],
  ["$#", ""],
  ["$?", ""],
  ["$-", ""],
  ["$$", ""],
  ["$!", ""],
  ["$0x", "x"],
  ["${1}", ""],
];

for (const [word, want] of CASES) {
  test(`expandWord: ${word} becomes ${JSON.stringify(want)}`, () => assert.equal(expandWord(word, variables), want));
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ["${a", /"}" is missing|is missing/],
  ["${}", /bad substitution/],
  ["${:-x}", /bad substitution/],
  ["${a:1:2}", /modifier ":1"/],
  ["${a:#x}", /modifier ":#"/],
  ["${a^}", /modifier "\^"/],
  ["'a", /closing '/],
  ['"a', /closing "/],
  ["${nope:?why not}", /nope: why not/],
  ["${empty:?}", /empty: is not set or empty/],
  ["${nope?}", /nope: is not set/],
  ["${a/x}", /"\/" is missing/],
  ["${{a}}", /bad substitution/],
];

for (const [word, want] of BAD) {
  test(`expandWord: invalid for ${word}`, () => {
    assert.throws(
      () => expandWord(word, variables),
      (error) => isTeuError(error, "invalid") && want.test(error.message),
    );
  });
}

test("expandWord: other escape character when the directive says so", () => {
  assert.equal(expandWord("`$a C:\\x", variables, { escape: "`" }), "$a C:\\x");
});

test("expandWord: quotes stay when raw", () => {
  assert.equal(expandWord(`echo "$a" '$a' \\n \\$a`, variables, { rawQuotes: true }), `echo "A" 'A' \\n $a`);
});

test("expandWord: a word without special characters is itself, and no word loops or fails otherwise than `invalid`", () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-zA-Z0-9_./:=-]*$/), (word) => expandWord(word, variables) === word));
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom("$", "{", "}", "a", ":", "-", "+", "?", "#", "%", "/", "'", '"', "\\", "*", " "),
      }),
      (word) => {
        try {
          expandWord(word, variables);
        } catch (error) {
          assert.ok(isTeuError(error, "invalid"), String(error));
        }
      },
    ),
  );
});

test("expandWord: single quotes and escaping protect any text", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const quoted = text
        .split("'")
        .map((part) => `'${part}'`)
        .join("\\'");
      assert.equal(expandWord(quoted, variables), text);
    }),
  );
});

test("expandWord: patterns that would backtrack without end, and nesting without end", { timeout: 10_000 }, () => {
  const long = (): string => "a".repeat(2000);
  const stars = `${"*a".repeat(40)}b`;
  for (const word of [`\${x#${stars}}`, `\${x%%${stars}}`, `\${x//${stars}/y}`]) {
    assert.equal(expandWord(word, long).length, 2000, word);
  }
  assert.equal(
    expandWord("${x//*/y}", () => "abc"),
    "y",
  );
  assert.throws(
    () => expandWord("${x:-".repeat(12_000) + "}".repeat(12_000), () => undefined),
    (error) => isTeuError(error, "invalid"),
  );
});
