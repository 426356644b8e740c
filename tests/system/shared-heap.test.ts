// The heap that a program maps stays shared: neither the runtime's child nor a monitor writes to more than a few of its pages.
// native/quickjs/README.md says what it took.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Host, UNABLE } from "./shim-harness.ts";

const RUNTIME = join(import.meta.dirname, "../../bin/teu-runtime");
const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
after(() => {
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});

/** KiB of the frozen part of the heap: that is mapped from the program's file, and written to by this process or one it was cloned from. */
function frozenHeap(pid: number): { mapped: number; written: number } {
  const entry = readFileSync(`/proc/${pid}/smaps`, "utf8")
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .find((text) => text.startsWith("1000000000-"));
  assert.ok(entry !== undefined, `process ${pid} has no heap`);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(entry)?.[1]);
  return { mapped: field("Size"), written: field("Private_Dirty") + field("Shared_Dirty") };
}

function assertShared(pid: number): void {
  const { mapped, written } = frozenHeap(pid);
  assert.ok(mapped > 500, `${mapped} KiB: not what this test is about`);
  assert.ok(written < mapped / 8, `${written} of ${mapped} KiB were written to`);
}

test("shared heap: of a monitor", { skip }, async () => {
  const container = await (host as Host).container({ args: ["sleep", "60"] }).created();
  assertShared(container.shimPid);
  await container.ask({ op: "signal", signal: 9 });
  await container.gone();
});

test("shared heap: of the child that the runtime cloned, and in which it has made the container", { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-heap-"));
  const id = `heap-${process.pid}`;
  const runtime = (...args: string[]): string =>
    execFileSync(RUNTIME, ["--root", join(directory, "state"), ...args], {
      cwd: directory,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
  try {
    mkdirSync(join(directory, "rootfs/bin"), { recursive: true });
    copyFileSync("/bin/busybox", join(directory, "rootfs/bin/sh"));
    runtime("spec");
    const spec = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as { process: { terminal: boolean } };
    spec.process.terminal = false;
    writeFileSync(join(directory, "config.json"), JSON.stringify(spec));
    // Not started: it waits for that, as a copy of the runtime.
    execFileSync(RUNTIME, ["--root", join(directory, "state"), "create", "--pid-file", "pid", id], {
      cwd: directory,
      stdio: "ignore",
    });
    assertShared(Number(readFileSync(join(directory, "pid"), "utf8")));
  } finally {
    runtime("delete", "--force", id);
    rmSync(directory, { recursive: true });
  }
});
