// teu-runtime --explain --timings: a real start, measured. Times are never asserted on. Needs root.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Bench, withLinux, withProcess } from "../../conformance/runtime/case.ts";

const runtime = fileURLToPath(new URL("../../bin/teu-runtime", import.meta.url));
const skip = process.getuid?.() !== 0 && "needs root";

/** Lines of the table as [process, step, calls]. */
function stepsOf(text: string): [string, string, number][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => /^process +step +ms +in calls +calls +slowest call$/.test(line));
  assert.notEqual(start, -1, text);
  return lines.slice(start + 1).map((line) => {
    const [, who = "", step = "", calls = ""] = /^(\w+) +(.*?) +\d+\.\d{3} +\d+\.\d{3} +(\d+)/.exec(line) ?? [];
    assert.notEqual(who, "", line);
    return [who, step, Number(calls)];
  });
}

test("timings: run goes as it goes, and tells the steps of both processes", { skip }, () => {
  using bench = disposable(new Bench(runtime));
  const bundle = bench.script("echo said; exit 7");
  const { code, out, err } = bench.call("--explain", "--timings", "run", "--bundle", bundle.path, bench.id());
  assert.equal(code, 7);
  assert.equal(out, "said");
  const steps = stepsOf(err);
  for (const wanted of ["clone", "wait for execve", "the container runs", "remove"])
    assert.ok(
      steps.some(([who, step]) => who === "runtime" && step === wanted),
      wanted,
    );
  for (const wanted of ["root", "mounts", "devices, links", "pivot_root"])
    assert.ok(
      steps.some(([who, step, calls]) => who === "child" && step === wanted && calls > 0),
      wanted,
    );
});

test("timings: create, start and exec; nothing of the measuring reaches the container", { skip }, () => {
  using bench = disposable(new Bench(runtime));
  const id = bench.id();
  const bundle = bench.script("ls /proc/self/fd >/tmp/fds; exec sleep 60", (spec) => ({
    ...spec,
    root: { path: "rootfs" },
  }));
  const created = bench.call("--explain", "--timings", "create", "--bundle", bundle.path, id);
  assert.equal(created.code, 0, created.err);
  assert.ok(stepsOf(created.err).some(([who, step]) => who === "child" && step === "pivot_root"));
  assert.equal(bench.call("--explain", "--timings", "start", id).code, 0);
  const { code, out, err } = bench.call("--explain", "--timings", "exec", id, "/bin/ls", "/proc/self/fd");
  assert.equal(code, 0, err);
  // 0, 1, 2, and the directory that ls reads.
  assert.deepEqual(out.split("\n"), ["0", "1", "2", "3"]);
  assert.ok(stepsOf(err).some(([who, step]) => who === "child" && step === "namespaces, keyring, terminal"));
});

test("timings: with a filter that forbids writing the container still starts", { skip }, () => {
  using bench = disposable(new Bench(runtime));
  const bundle = bench.bundle((spec) =>
    withLinux(withProcess(spec, { noNewPrivileges: false }), {
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["write", "pwrite64"], action: "SCMP_ACT_ERRNO" }],
      },
    }),
  );
  const plain = bench.call("run", "--bundle", bundle.path, bench.id());
  const measured = bench.call("--explain", "--timings", "run", "--bundle", bundle.path, bench.id());
  assert.equal(measured.code, plain.code, measured.err);
});

test("timings: alone they are refused", { skip }, () => {
  const { status, stderr } = spawnSync(runtime, ["--timings", "list"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /--timings goes with --explain/);
});

function disposable(bench: Bench): Bench & Disposable {
  return Object.assign(bench, { [Symbol.dispose]: () => bench.dispose() });
}
