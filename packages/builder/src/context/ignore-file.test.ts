import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseIgnoreFile, readIgnoreRules } from "./ignore-file.ts";

const CASES: readonly { rules: string; ignored: string[]; kept: string[] }[] = [
  { rules: "a", ignored: ["a", "a/b/c"], kept: ["b", "b/a", "ab", "A"] },
  { rules: "*.md\n!README.md", ignored: ["x.md"], kept: ["README.md", "d/x.md"] },
  { rules: "**/*.log", ignored: ["x.log", "a/b/x.log"], kept: ["x.txt"] },
  { rules: "**/x", ignored: ["x", "a/x", "a/x/y"], kept: ["xy"] },
  { rules: "/a/\n# b\n  c  ", ignored: ["a/x", "c"], kept: ["b", "# b"] },
  { rules: "dir\n!dir/keep", ignored: ["dir", "dir/x"], kept: ["dir/keep"] },
  { rules: "a/../b", ignored: ["b"], kept: ["a"] },
  { rules: "\ufeff[ab]?", ignored: ["a1", "b2"], kept: ["c1"] },
  { rules: "", ignored: [], kept: ["a"] },
];

for (const { rules, ignored, kept } of CASES) {
  test(`parseIgnoreFile: ${JSON.stringify(rules)}`, () => {
    const parsed = parseIgnoreFile(rules);
    for (const path of ignored) assert.equal(parsed.ignores(path), true, path);
    for (const path of kept) assert.equal(parsed.ignores(path), false, path);
  });
}

test("parseIgnoreFile: directories may be pruned only without re-inclusion", () => {
  assert.equal(parseIgnoreFile("a\nb").prunable, true);
  assert.equal(parseIgnoreFile("a\n!a/b").prunable, false);
});

test("readIgnoreRules: the Dockerfile's own file wins, the context's is next, none is fine", async () => {
  const dir = await mkdtemp(join(tmpdir(), "teu-ignore-"));
  try {
    const dockerfile = join(dir, "x.Dockerfile");
    assert.equal((await readIgnoreRules(dir, dockerfile)).ignores("a"), false);
    await writeFile(join(dir, ".dockerignore"), "a");
    assert.equal((await readIgnoreRules(dir, dockerfile)).ignores("a"), true);
    await writeFile(`${dockerfile}.dockerignore`, "b");
    assert.equal((await readIgnoreRules(dir, dockerfile)).ignores("a"), false);
    await writeFile(`${dockerfile}.dockerignore`, "b".repeat(2 << 20));
    await assert.rejects(readIgnoreRules(dir, dockerfile), (error) => isTeuError(error, "invalid"));
  } finally {
    await rm(dir, { recursive: true });
  }
});
