import assert from "node:assert/strict";
import { test } from "node:test";

import { printable } from "./printable.ts";

test("printable: control and direction characters are shown as what cannot be shown", () => {
  assert.equal(printable("a\u001b[31mb\u0007\u009b\n\u202ec\u2066d"), "a\ufffd[31mb\ufffd\ufffd\ufffd\ufffdc\ufffdd");
  assert.equal(printable("grün 漢字 🙂"), "grün 漢字 🙂");
  assert.equal(printable("x".repeat(20), 10), "x".repeat(10));
});
