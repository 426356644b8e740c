import assert from "node:assert/strict";
import { test } from "node:test";
import { diskLayoutPage, drawing } from "./gen-disk-layout.ts";

test("drawing: the first indented block of the head comment and nothing else", () => {
  assert.equal(drawing("// Head.\n//   DIR/\n//     a\n//\n//   later\n\nconst x = 1;\n//   not this\n"), "DIR/\n  a");
  assert.equal(drawing("// Head.\n\n//   not this\n"), "");
});

test("diskLayoutPage: fails when a drawing is gone", () => {
  assert.match(
    diskLayoutPage(() => "//   X/\n\n"),
    /```\nX\/\n```/,
  );
  assert.throws(() => diskLayoutPage(() => "// No drawing.\n\n"), /no drawing/);
});
