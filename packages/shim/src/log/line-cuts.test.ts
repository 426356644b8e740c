// cutLines: no line over the limit, nothing lost, no torn character.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cutLines } from "./line-cuts.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

// The pieces that become log lines, and what is kept for later.
function pieces(text: string, limit: number): { lines: string[]; rest: string } {
  const data = encode(text);
  const { ends, rest } = cutLines(data, limit);
  const lines: string[] = [];
  let start = 0;
  for (const end of ends) {
    const segment = new TextDecoder().decode(data.subarray(start, end));
    lines.push(...(segment.match(/[^\n]*\n|[^\n]+$/g) ?? []));
    start = end;
  }
  assert.equal(start, rest);
  return { lines, rest: new TextDecoder().decode(data.subarray(rest)) };
}

const cases: readonly { name: string; text: string; lines: string[]; rest: string }[] = [
  { name: "nothing", text: "", lines: [], rest: "" },
  { name: "a whole line", text: "ab\n", lines: ["ab\n"], rest: "" },
  { name: "a beginning", text: "ab", lines: [], rest: "ab" },
  { name: "lines and a beginning", text: "a\nb\nc", lines: ["a\n", "b\n"], rest: "c" },
  { name: "empty lines", text: "\n\n\n", lines: ["\n", "\n", "\n"], rest: "" },
  { name: "a line of exactly the limit", text: "1234567\n", lines: ["1234567\n"], rest: "" },
  { name: "a line one over the limit", text: "12345678\n", lines: ["12345678", "\n"], rest: "" },
  { name: "a beginning of exactly the limit", text: "12345678", lines: ["12345678"], rest: "" },
  {
    name: "a long line between short ones",
    text: "a\n123456789abcdefgh\nb\n",
    lines: ["a\n", "12345678", "9abcdefg", "h\n", "b\n"],
    rest: "",
  },
  { name: "many short lines", text: "a\n".repeat(20), lines: Array<string>(20).fill("a\n"), rest: "" },
  { name: "a character on the border", text: "1234567é89", lines: ["1234567"], rest: "é89" },
  {
    name: "a four-byte character on the border",
    text: "12345😀6789abc\n",
    lines: ["12345", "😀6789", "abc\n"],
    rest: "",
  },
];

for (const { name, text, lines, rest } of cases) {
  test(`cutLines: ${name}`, () => assert.deepEqual(pieces(text, 8), { lines, rest }));
}

test("cutLines: bytes that are not UTF-8 are cut at the limit", () => {
  assert.deepEqual(cutLines(new Uint8Array(20).fill(0xff), 8), { ends: [8, 16], rest: 16 });
  assert.deepEqual(cutLines(new Uint8Array(20).fill(0x80), 8), { ends: [8, 16], rest: 16 });
});
