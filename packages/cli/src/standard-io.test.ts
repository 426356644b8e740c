// StandardIo in a process of its own: files, pipes, a full disk, a reader that is gone or slow.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const MODULE = join(import.meta.dirname, "standard-io.ts");

/** A command for a shell: a process that runs `body` with `io` in scope. */
function program(body: string): string {
  const script = `import { StandardIo } from ${JSON.stringify(MODULE)}; const io = new StandardIo(); ${body}`;
  return `'${process.execPath}' --input-type=module -e '${script}'`;
}

function shell(command: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync("bash", ["-c", command], { encoding: "utf8", timeout: 30_000 });
}

test("StandardIo: text and bytes in their order, before and after the stream is made", () => {
  const body =
    'io.stdout.write("a"); io.stdout.write(new Uint8Array([98])); io.stdout.stream.write("c"); io.stdout.write("d");';
  const directory = mkdtempSync(join(tmpdir(), "teu-io-"));
  try {
    assert.equal(shell(program(body)).stdout, "abcd");
    const file = join(directory, "out");
    shell(`${program(body)} > ${file}`);
    assert.equal(readFileSync(file, "latin1"), "abcd");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("StandardIo: no stream is made for text, nor to learn that a file, a pipe or /dev/null is no terminal", () => {
  const body =
    'const made = []; for (const name of ["stdout", "stderr"]) Object.defineProperty(process, name, { get: () => made.push(name) });' +
    'io.stdout.write("x"); io.stderr.write(String(io.stdout.isTTY) + io.stderr.isTTY + made.length);';
  for (const to of ["| cat > /dev/null", "> /dev/null"])
    assert.equal(shell(`${program(body)} ${to}`).stderr, "falsefalse0", to);
});

test("StandardIo: a disk that is full is an error of stdout, and none of stderr", () => {
  const { status, stderr } = shell(`${program('io.stdout.write("x")')} > /dev/full`);
  assert.match(stderr, /cannot write output "stdout": no space left on device \(ENOSPC\)/);
  assert.equal(status, 1);
  assert.equal(shell(`${program('io.stderr.write("x")')} 2> /dev/full`).status, 0);
});

test("StandardIo: 141 and no word when nobody reads any more", () => {
  const body = 'setTimeout(() => { io.stdout.write("x"); io.stderr.write("not reached") }, 200)';
  const { stdout, stderr } = shell(`set -o pipefail; ${program(body)} | true; echo $?`);
  assert.equal(stderr, "");
  assert.equal(stdout, "141\n");
});

test("StandardIo: a pipe that somebody made non-blocking gets everything, as slowly as it takes it", () => {
  const body =
    'const { Socket } = await import("node:net"); new Socket({ fd: 1, readable: false });' +
    'await io.stdout.send("x".repeat(1_000_000)); await io.stdout.send("y"); io.flush(() => process.exit(0));';
  const script = `${program(body)} | (sleep 0.3; wc -c)`;
  assert.equal(execFileSync("bash", ["-c", script], { encoding: "utf8", timeout: 30_000 }).trim(), "1000001");
});
