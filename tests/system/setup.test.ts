import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const SETUP = join(ROOT, "tools/setup.sh");

for (const target of ["demo", "test", "bench"]) {
  test(`setup ${target}: says at once what needs root, and where to go, when not root`, () => {
    const result = spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "sh", SETUP, target], {
      encoding: "utf8",
    });
    assert.equal(result.status, 1);
    assert.match(result.stderr, /needs root:\n.*namespaces.*\n.*npm run test:unit/);
    assert.equal(result.stdout, "");
  });
}

test("setup: usage and exit code 2 when the target is unknown", () => {
  const result = spawnSync("sh", [SETUP, "everything"], { encoding: "utf8" });
  assert.equal(result.status, 2);
  assert.match(result.stderr, /^usage: /);
});

test("setup build: silent when there is nothing to do", () => {
  spawnSync("sh", [SETUP, "build"]);
  const result = spawnSync("sh", [SETUP, "build"], { encoding: "utf8" });
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, "", ""]);
});

for (const program of ["teu", "teu-runtime", "teu-shim"]) {
  test(`bin/${program}: works from any directory and through a symbolic link`, () => {
    const directory = mkdtempSync(join(tmpdir(), "teu-bin-"));
    try {
      const link = join(directory, program);
      symlinkSync(join(ROOT, "bin", program), link);
      // No node on PATH: the programs bring their own.
      const result = spawnSync(link, ["--version"], { cwd: "/", env: { PATH: "/nowhere" }, encoding: "utf8" });
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stdout, /\d+\.\d+\.\d+/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
