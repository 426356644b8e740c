// `npm run check`: everything a tool can know about the sources without running them. Two checks at a time, each with its time;
// what a failed one said follows. Arguments are parts of names of checks to run.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

interface Check {
  readonly name: string;
  readonly argv: readonly string[];
}

const bin = (name: string): string => join(ROOT, "node_modules/.bin", name);
const tool = (file: string, ...argv: readonly string[]): string[] => [
  process.execPath,
  join(ROOT, "tools", file),
  ...argv,
];

// The longest first.
const CHECKS: readonly Check[] = [
  { name: "types", argv: [bin("tsc"), "-p", "tsconfig.json"] },
  { name: "types of portable code", argv: [bin("tsc"), "-p", "tsconfig.portable.json"] },
  { name: "types of schemas", argv: [bin("tsc"), "-p", "tsconfig.schema.json"] },
  { name: "lint", argv: [bin("oxlint"), "--type-aware", "--deny-warnings"] },
  { name: "unused code and dependencies", argv: [bin("knip"), "--no-config-hints"] },
  { name: "format", argv: [bin("oxfmt"), "--check"] },
  { name: "imports", argv: tool("check-deps.ts") },
  { name: "paths of root file systems", argv: tool("check-rootfs-paths.ts") },
  { name: "documentation", argv: tool("check-docs.ts") },
  { name: "error catalogue", argv: tool("check-errors.ts") },
  { name: "environment", argv: tool("check-env.ts") },
  { name: "tests that pages name", argv: tool("check-citations.ts") },
  { name: "size", argv: tool("check-size.ts", "--report") },
  { name: "generated validators", argv: tool("gen-specs.ts", "--check") },
  { name: "disk layout", argv: tool("gen-disk-layout.ts", "--check") },
  { name: "environment page", argv: tool("gen-environment.ts", "--check") },
  { name: "defences page", argv: tool("gen-defences.ts", "--check") },
  { name: "command line pages", argv: tool("gen-cli-docs.ts", "--check") },
  { name: "registry configuration page", argv: tool("gen-registry-config.ts", "--check") },
];

interface Outcome {
  readonly ok: boolean;
  readonly text: string;
  readonly seconds: number;
}

function run(check: Check): Promise<Outcome> {
  const start = performance.now();
  return new Promise((resolve) => {
    const [command = "", ...argv] = check.argv;
    const child = spawn(command, argv, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    const add = (part: Buffer): void => {
      text += part.toString();
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    const end = (ok: boolean): void => {
      resolve({ ok, text, seconds: (performance.now() - start) / 1000 });
    };
    child.on("error", (error) => {
      text += error.message;
      end(false);
    });
    child.on("close", (status) => {
      end(status === 0);
    });
  });
}

const wanted = process.argv.slice(2);
const queue = CHECKS.filter((check) => wanted.length === 0 || wanted.some((part) => check.name.includes(part)));
const start = performance.now();
const total = queue.length;
let failed = 0;
const worker = async (): Promise<void> => {
  for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
    const { ok, text, seconds } = await run(check);
    if (!ok) failed++;
    console.log(`${ok ? "ok    " : "FAILED"} ${check.name.padEnd(30)} ${seconds.toFixed(1)} s`);
    if (!ok || check.name === "size") console.log(text.trimEnd().replaceAll(/^/gm, "       "));
  }
};
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
console.log(`${total - failed} of ${total} checks passed in ${((performance.now() - start) / 1000).toFixed(1)} s`);
process.exitCode = failed > 0 || total === 0 ? 1 : 0;
