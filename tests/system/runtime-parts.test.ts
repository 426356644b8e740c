// The executable carries teu-runtime as a whole and in parts, and guesses the part from the words of the command line. A wrong guess costs
// time and nothing else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const RUNTIME = join(import.meta.dirname, "../../bin/teu-runtime");

const CASES: readonly { name: string; argv: readonly string[]; code: number; out: RegExp; err: RegExp }[] = [
  { name: "the part has it", argv: ["--root", "x", "state", "none"], code: 1, out: /^$/, err: /does not exist/ },
  { name: "no part has it", argv: ["--root", "x", "list"], code: 0, out: /^ID /, err: /^$/ },
  { name: "a flag's value is taken for it", argv: ["--root", "create", "list"], code: 0, out: /^ID /, err: /^$/ },
  { name: "another part's is", argv: ["--root", "exec", "state", "none"], code: 1, out: /^$/, err: /does not exist/ },
  { name: "help of all", argv: ["--help", "create"], code: 0, out: /^ {3}features /m, err: /^$/ },
  { name: "help of one", argv: ["run", "--help"], code: 0, out: /--detach/, err: /^$/ },
  { name: "an unknown one", argv: ["frobnicate", "run"], code: 3, out: /^$/, err: /No help topic for 'frobnicate'/ },
];

for (const { name, argv, code, out, err } of CASES) {
  test(`parts: right command when ${name}`, () => {
    const cwd = mkdtempSync(join(tmpdir(), "teu-parts-"));
    try {
      const result = spawnSync(RUNTIME, argv, { cwd, encoding: "utf8" });
      assert.equal(result.status, code, result.stderr);
      assert.match(result.stdout, out);
      assert.match(result.stderr, err);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
}
