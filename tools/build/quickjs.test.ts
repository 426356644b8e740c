import assert from "node:assert/strict";
import { test } from "node:test";
import { withImmortals } from "./quickjs.ts";

const DEFINITION = "#define JS_REF_COUNT(p) (js_rc(p)->ref_count)\n";
const uses = (text: string, count: number): string => `${text}\n`.repeat(count);
const SOURCE = [
  "before\n",
  DEFINITION,
  uses("if (--JS_REF_COUNT(p) <= 0)", 7),
  uses("JS_REF_COUNT(str)--;", 2),
  uses("JS_REF_COUNT(sf->cur_gc_obj)++;", 19),
  "JS_REF_COUNT(p) = 1;\n",
].join("");

test("each change of a count becomes a call, what only looks at one stays", () => {
  const changed = withImmortals(SOURCE, "COUNTING", "THE END");
  assert.ok(changed.startsWith(`before\n${DEFINITION}\nCOUNTING\n`), changed);
  assert.equal(changed.match(/if \(js_rc_dec\(p\) <= 0\)/g)?.length, 7);
  assert.equal(changed.match(/js_rc_dec\(str\);/g)?.length, 2);
  assert.equal(changed.match(/js_rc_inc\(sf->cur_gc_obj\);/g)?.length, 19);
  assert.ok(changed.endsWith("JS_REF_COUNT(p) = 1;\n\nTHE END"));
});

test("another QuickJS is refused, instead of one whose counts are half ours", () => {
  assert.throws(() => withImmortals(`${SOURCE}--JS_REF_COUNT(x)`, "", ""), /8 places .* not 7/);
  assert.throws(() => withImmortals(SOURCE.replace("JS_REF_COUNT(str)--;", ""), "", ""), /1 places .* not 2/);
  assert.throws(() => withImmortals(SOURCE.replace(DEFINITION, ""), "", ""), /not once #define/);
});
