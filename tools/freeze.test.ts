// Programs are run up to main when they are built, and what comes out is kept. Uses the host as built by `npm run build`.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { assemblePrograms } from "./build/programs.ts";

const TRIPLE = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
const RELEASE = join(import.meta.dirname, "../native/target", TRIPLE, "release");
const [DEV, HOST] = [join(RELEASE, "teu-dev"), join(RELEASE, "teu-host")];
const skip = !existsSync(HOST) && "needs npm run build";
const directory = mkdtempSync(join(tmpdir(), "teu-freeze-"));
after(() => {
  rmSync(directory, { recursive: true });
});

const IMPORTS = 'import { print, realtimeNs } from "sys:host"; import { args } from "sys:process";\n';

// Compiles and freezes; what teu-freeze said when it refused.
function freeze(source: string): { heap: Buffer; error: string } {
  const [js, qbc, heap] = ["program.js", "program.qbc", "program.heap"].map((name) => join(directory, name));
  writeFileSync(js ?? "", IMPORTS + source);
  const compiled = spawnSync(DEV, ["compile", js ?? "", qbc ?? ""], { encoding: "utf8" });
  assert.equal(compiled.status, 0, compiled.stderr);
  const frozen = spawnSync(HOST, [qbc ?? "", heap ?? ""], { argv0: "teu-freeze", encoding: "utf8" });
  return { heap: frozen.status === 0 ? readFileSync(heap ?? "") : Buffer.alloc(0), error: frozen.stderr };
}

function finished(source: string): string {
  const { heap, error } = freeze(source);
  assert.equal(error, "");
  const file = join(directory, "prog");
  writeFileSync(file, assemblePrograms(readFileSync(HOST), [{ name: "prog", seal: ["seal-me"], heap }]));
  chmodSync(file, 0o755);
  return file;
}

const RUNS: readonly {
  name: string;
  source: string;
  argv?: readonly string[];
  code: number;
  out: string;
  err?: RegExp;
}[] = [
  {
    name: "main finds what the body made",
    source:
      "const map = new Map([['a', [1n, /b+/u]]]); export function main() { print(map.get('a')[1].exec('xbb')[0]); return 3; }",
    code: 3,
    out: "bb\n",
  },
  {
    name: "arguments are those of the start",
    source: "export const main = () => print(args().join());",
    argv: ["x", "y"],
    code: 0,
    out: "x,y\n",
  },
  {
    name: "put-off jobs run",
    source: "const ready = Promise.resolve(5); export function main() { ready.then((value) => print(String(value))); }",
    code: 0,
    out: "5\n",
  },
  {
    name: "the heap grows and is used again",
    source:
      "const kept = []; export function main() { for (let i = 0; i < 400; i++) { kept.push('x'.repeat(50000) + i); if (i % 2) kept.shift(); } print(String(kept.length + new Uint8Array(3e6).length)); }",
    code: 0,
    out: "3000200\n",
  },
  {
    name: "what nobody catches",
    source: "const error = new RangeError('made before'); export function main() { throw error; }",
    code: 70,
    out: "",
    err: /^prog: uncaught RangeError: made before/,
  },
  {
    name: "deep recursion is an error and no crash",
    source:
      "const f = (n) => f(n + 1) + 1; export function main() { try { f(0); } catch (error) { print(error.name); } }",
    code: 0,
    out: "RangeError\n",
  },
  {
    name: "it is sealed for its words",
    source: "export const main = () => print('ran');",
    argv: ["seal-me"],
    code: 0,
    out: "ran\n",
  },
];
for (const { name, source, argv = [], code, out, err = /^$/ } of RUNS) {
  test(`frozen program: ${name}`, { skip }, () => {
    const result = spawnSync(finished(source), argv, { encoding: "utf8" });
    assert.match(result.stderr, err);
    assert.equal(result.stdout, out);
    assert.equal(result.status, code);
  });
}

const REFUSED: readonly { name: string; source: string; error: RegExp }[] = [
  {
    name: "a body that asks the kernel",
    source: "const now = realtimeNs(); export const main = () => print(String(now));",
    error: /realtimeNs: a program may not call this before main/,
  },
  { name: "a program without main", source: "print;", error: /cannot be prepared/ },
  { name: "a body that throws", source: "throw new Error('not today'); export const main = 1;", error: /not today/ },
];
for (const { name, source, error } of REFUSED) {
  test(`teu-freeze: refuses ${name}`, { skip }, () => {
    assert.match(freeze(source).error, error);
  });
}

test("teu-freeze: the finished file makes no heaps, and knows its programs", { skip }, () => {
  const file = finished("export const main = () => 0;");
  const result = spawnSync(file, ["a.qbc", "b.heap"], { argv0: "teu-freeze", encoding: "utf8" });
  assert.equal(result.status, 127);
  assert.match(result.stderr, /no such program in this binary; start it under one of the names: prog/);
});

test("teu-freeze: addresses of one process do not get into the heap", { skip }, () => {
  const source = "const all = [new Map(), /a/, class {}, () => 1, Symbol('s')]; export const main = () => all.length;";
  const [one, other] = [freeze(source).heap, freeze(source).heap];
  assert.equal(one.length, other.length);
  const word = (heap: Buffer, at: number): bigint => heap.readBigUInt64LE(at);
  const different = Array.from({ length: one.length / 8 }, (_, index) => 8 * index).filter(
    (at) => word(one, at) !== word(other, at) && word(one, at) >> 40n >= 0x55n && word(one, at) >> 40n <= 0x7fn,
  );
  // Where the stack begins and ends, which every start sets anew. (Random seeds differ, too, and what is sorted by them.)
  assert.equal(different.length, 2, `words at ${different.map((at) => at.toString(16)).join()}`);
});
