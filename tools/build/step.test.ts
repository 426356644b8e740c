// A build step runs again exactly when it must.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { ROOT, runStep, type Step } from "./step.ts";

test("runStep: runs again when an input, the recipe or an output changed, or the last run failed", async (t) => {
  t.mock.method(console, "error", () => {});
  const directory = mkdtempSync(join(ROOT, ".cache/step-test-"));
  const name = `test of steps ${process.pid}`;
  try {
    const input = join(directory, "input");
    const output = join(directory, "output");
    let runs = 0;
    let fail = false;
    const step: Step = {
      name,
      inputs: [relative(ROOT, input)],
      also: ["1"],
      outputs: [relative(ROOT, output)],
      run: () => {
        runs++;
        if (fail) throw new Error("planned");
        writeFileSync(output, "x");
      },
    };
    const runsOf = async (change: () => void, as: Step = step): Promise<number> => {
      change();
      const before = runs;
      await runStep(as);
      return runs - before;
    };
    assert.equal(
      await runsOf(() => {
        writeFileSync(input, "a");
      }),
      1,
    );
    assert.equal(await runsOf(() => {}), 0);
    assert.equal(
      await runsOf(() => {
        writeFileSync(input, "a");
      }),
      0,
      "same content",
    );
    assert.equal(
      await runsOf(() => {
        writeFileSync(input, "b");
      }),
      1,
    );
    assert.equal(
      await runsOf(() => {
        rmSync(output);
      }),
      1,
    );
    assert.equal(await runsOf(() => {}, { ...step, also: ["2"] }), 1);
    assert.equal(await runsOf(() => {}), 1);
    fail = true;
    await assert.rejects(
      runsOf(() => {
        writeFileSync(input, "c");
      }),
      /planned/,
    );
    fail = false;
    assert.equal(
      await runsOf(() => {
        writeFileSync(input, "b");
      }),
      1,
      "the stamp of before the failure does not count",
    );
  } finally {
    rmSync(directory, { recursive: true });
    rmSync(join(ROOT, ".cache/build", `${name}.stamp`), { force: true });
  }
});
