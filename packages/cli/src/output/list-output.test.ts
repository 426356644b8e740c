import assert from "node:assert/strict";
import { test } from "node:test";
import { listLines } from "./list-output.ts";
import { columns, displayWidth, ellipsis } from "./table.ts";

const list = {
  rows: [
    { ID: "1", Name: "first", Extra: "e" },
    { ID: "22", Name: "x", Extra: "f" },
  ],
  table: [
    ["ID", "THE ID"],
    ["Name", "NAME"],
  ] as const,
  quietField: "ID",
};

test("listLines: a table, tab-stopped like Docker's", () => {
  assert.deepEqual(listLines(list, { format: undefined, quiet: false }), [
    "THE ID   NAME",
    "1        first",
    "22       x",
  ]);
});

test("listLines: quiet, json, template and table template", () => {
  assert.deepEqual(listLines(list, { format: undefined, quiet: true }), ["1", "22"]);
  assert.equal(listLines(list, { format: "json", quiet: false })[0], '{"ID":"1","Name":"first","Extra":"e"}');
  assert.deepEqual(listLines(list, { format: "{{.Name}}\\t{{.Extra}}", quiet: false }), ["first\te", "x\tf"]);
  assert.deepEqual(listLines(list, { format: "table {{.Name}}\\t{{.ID}}\\t{{.Extra}}", quiet: false }), [
    "NAME    THE ID   EXTRA",
    "first   1        e",
    "x       22       f",
  ]);
});

test("listLines: an empty list is its headings", () => {
  assert.deepEqual(listLines({ ...list, rows: [] }, { format: undefined, quiet: false }), ["THE ID   NAME"]);
  assert.deepEqual(listLines({ ...list, rows: [] }, { format: "table {{.Name}}", quiet: false }), ["NAME"]);
});

test("columns: wide characters and combining marks count as they are seen", () => {
  assert.equal(displayWidth("a\u0301"), 1);
  assert.deepEqual(
    columns(
      [
        ["日本", "x"],
        ["abc", "y"],
      ],
      1,
    ),
    ["日本 x", "abc  y"],
  );
  assert.equal(ellipsis("abcdef", 4), "abc…");
});
