import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../fake/fake-kernel.ts";
import type { Kernel } from "../kernel.ts";
import { Stopwatch, timingTable } from "./timings.ts";

/** A kernel whose clock goes on by `tick` ns each time it is asked, and that is nobody's simulation. */
function ticking(tick: bigint): Kernel {
  const { simulation: _, ...kernel } = createFakeKernel().kernel;
  let now = 0n;
  return { ...kernel, host: { ...kernel.host, monotonicNs: () => (now += tick) } };
}

test("Stopwatch: sums up the calls of each step, with the slowest", () => {
  const watch = new Stopwatch(ticking(1000n));
  const { kernel } = watch;
  kernel.process.getpid();
  kernel.step?.("files");
  kernel.fs.mkdirAt(-100, "/a", 0o755);
  assert.throws(() => kernel.fs.mkdirAt(-100, "/a", 0o755), /EEXIST/, "failed calls are passed on and counted");
  kernel.host.print("not a call of the kernel");
  const [first, files] = watch.finish();
  assert.deepEqual([first?.process, first?.calls], ["runtime", 1]);
  assert.deepEqual(files, {
    process: "runtime",
    step: "files",
    wall: 5000,
    kernel: 2000,
    calls: 2,
    slowest: "mkdirAt",
    slowestTime: 1000,
  });
});

test("Stopwatch: keeps its file when everything is closed", () => {
  const watch = new Stopwatch(ticking(1n));
  watch.kernel.fs.closeRange(3, 4294967295, 0);
  watch.kernel.step?.("after");
  assert.deepEqual(
    watch.finish().map(({ step }) => step),
    ["command line, config.json", "after"],
  );
});

test("Stopwatch: what a child measured is told to the parent", () => {
  const kernel = ticking(1n);
  let child = false;
  const forking: Kernel = {
    ...kernel,
    process: { ...kernel.process, clone3: () => (child ? { pid: 0, pidfd: -1 } : { pid: 101, pidfd: 9 }) },
  };
  const watch = new Stopwatch(forking);
  child = true;
  watch.kernel.process.clone3({ flags: 0 });
  watch.kernel.step?.("mounts");
  watch.kernel.process.getpid();
  assert.throws(() => watch.kernel.process.execveat(-100, "/nowhere", [], [], 0), /ENOENT/);
  const steps = watch.finish().filter((one) => one.process === "child" && one.step === "mounts");
  assert.equal(
    steps.reduce((sum, { calls }) => sum + calls, 0),
    2,
  );
});

test("timingTable: columns, milliseconds, and nothing for what took no time", () => {
  const step = { process: "runtime", kernel: 1_500_000, slowest: "mkdirAt", slowestTime: 1_000_000 };
  const table = timingTable([
    { ...step, step: "a", wall: 2_000_000, calls: 3 },
    { ...step, step: "b", wall: 10, calls: 0 },
  ]);
  assert.deepEqual(
    table.split("\n").map((line) => line.split(/ {2,}/)),
    [
      ["process", "step", "ms", "in calls", "calls", "slowest call"],
      ["runtime", "a", "2.000", "1.500", "3", "mkdirAt 1.000"],
    ],
  );
});
