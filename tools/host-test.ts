// Runs tests inside the host, where they meet the real kernel: those that are for it alone (*.host.ts), and the
// kernel side's portable unit tests once more. Closes with "N passed, N failed, N skipped".
// Arguments are parts of file names; without any, all run. `*.root.host.ts` needs root and counts as skipped without.

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { build, type BuildFailure, type Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
const HOST = join(ROOT, "native/target", TRIPLE, "release/teu-dev");
const TEST = join(ROOT, "packages/sys/src/test-host/test.ts");
const GLOBALS = join(ROOT, "packages/sys/src/test-host/globals.ts");
const ASSERT = join(ROOT, "packages/sys/src/test-host/assert.ts");
const TIMEOUT_MS = 120_000;

// node:test and node:assert/strict are ours there. The assertions' default export is made here: our own files have none.
const nodeTestInHost: Plugin = {
  name: "node-test-in-host",
  setup(builder) {
    builder.onResolve({ filter: /^node:test$/ }, () => ({ path: TEST }));
    builder.onResolve({ filter: /^node:assert\/strict$/ }, () => ({ path: "assert", namespace: "host" }));
    builder.onLoad({ filter: /^assert$/, namespace: "host" }, () => ({
      contents: `export { assert as default } from ${JSON.stringify(ASSERT)};`,
      resolveDir: ROOT,
      loader: "ts",
    }));
  },
};

const totals = { passed: 0, failed: 0, skipped: 0 };
const wanted = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "teu-host-test-"));
let nodeOnly = 0;
try {
  for (const file of testFiles()) await runFile(file);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (nodeOnly > 0) console.log(`# ${nodeOnly} unit test files need Node and run only there`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;

function testFiles(): string[] {
  const own = globSync("packages/{sys,runtime}/src/**/*.host.ts", { cwd: ROOT }).sort();
  const portable = globSync("packages/{base,specs,sys,runtime,shim}/src/**/*.test.ts", { cwd: ROOT }).sort();
  return [...own, ...portable].filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
}

async function runFile(file: string): Promise<void> {
  if (file.endsWith(".root.host.ts") && process.geteuid?.() !== 0) {
    console.log(`# ${file}: skipped, needs root`);
    totals.skipped++;
    return;
  }
  const bundle = join(scratch, `${basename(file, ".ts")}.js`);
  if (!(await bundleTest(file, bundle))) {
    nodeOnly++;
    return;
  }
  const result = spawnSync(HOST, ["run", bundle], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: TIMEOUT_MS,
    cwd: scratch,
  });
  if (result.error !== undefined)
    throw new Error(`cannot run ${relative(ROOT, HOST)} (npm run build makes it): ${result.error.message}`);
  const lines = result.stdout.trimEnd().split("\n");
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lines.at(-1) ?? "");
  console.log(`# ${file}: ${counts === null ? `ended early (${result.signal ?? result.status})` : counts[0]}`);
  const bad = lines.filter((line) => !line.startsWith("ok ") && !/^(TAP version|1\.\.|\d+ passed)/.test(line));
  if (bad.length > 0) console.log(bad.join("\n"));
  totals.passed += Number(counts?.[1] ?? 0);
  totals.failed += counts === null ? 1 : Number(counts[2]);
  totals.skipped += Number(counts?.[3] ?? 0);
}

// False when the test reaches for Node: then it is no test for the host.
async function bundleTest(file: string, outfile: string): Promise<boolean> {
  // Globals that no bundler resolves (fast-check has some inside): a test that has them is a test for Node.
  if (
    /\b(Buffer|setTimeout|setImmediate|structuredClone|AbortController|URL)\b|"fast-check"/.test(
      readFileSync(join(ROOT, file), "utf8"),
    )
  )
    return false;
  const contents = `import ${JSON.stringify(GLOBALS)}; import { finish } from ${JSON.stringify(TEST)}; import ${JSON.stringify(join(ROOT, file))}; await finish();`;
  try {
    await build({
      stdin: { contents, resolveDir: ROOT, sourcefile: "entry.ts", loader: "ts" },
      outfile,
      bundle: true,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      mainFields: ["module", "main"],
      conditions: ["import"],
      external: ["sys:*"],
      logLevel: "silent",
      absWorkingDir: ROOT,
      plugins: [nodeTestInHost],
    });
    return true;
  } catch (error) {
    const failures = (error as BuildFailure).errors ?? [];
    if (failures.length > 0 && failures.every(({ text }) => text.startsWith('Could not resolve "node:'))) return false;
    throw error;
  }
}
