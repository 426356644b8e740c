// The systemd cgroup driver on a real kernel, against a manager of this test that speaks D-Bus on a unix socket: what is asked of it,
// where the container is, and that nothing is left.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Bench, expectFailure, expectOk, withLinux } from "../../conformance/runtime/case.ts";

const RUNTIME = fileURLToPath(new URL("../../bin/teu-runtime", import.meta.url));
const SERVER = fileURLToPath(new URL("runtime-systemd-server.ts", import.meta.url));
const obstacle = process.getuid?.() !== 0 ? "needs root" : !existsSync(RUNTIME) ? `${RUNTIME} is not built` : false;

interface Call {
  readonly member: string;
  readonly destination: string;
  readonly body: readonly unknown[];
}

/** Starts the manager; its address, and the calls so far. */
function startManager(bench: Bench): { readonly env: Record<string, string>; readonly calls: () => readonly Call[] } {
  const socket = join(bench.directory, "bus");
  const log = join(bench.directory, "calls");
  const child = spawn(process.execPath, [SERVER, socket], { stdio: ["ignore", openSync(log, "w"), "inherit"] });
  bench.defer(() => void child.kill("SIGKILL"));
  bench.until("manager", () => readFileSync(log, "utf8").startsWith("ready"));
  return {
    env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${socket}` },
    calls: () =>
      readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => JSON.parse(line) as Call),
  };
}

test(
  "systemd driver: unit started with init's pid, limits kept, unit stopped, nothing left",
  { skip: obstacle },
  () => {
    const bench = new Bench(RUNTIME);
    try {
      const { env, calls } = startManager(bench);
      const name = `conf${process.pid}`;
      const bundle = bench.script("sleep 30", (spec) =>
        withLinux(spec, {
          cgroupsPath: `teutest.slice:teu:${name}`,
          resources: { ...spec.linux?.resources, memory: { limit: 33_554_432 } },
        }),
      );
      const id = bench.id();
      expectOk(bench.callWith({ env }, "--systemd-cgroup", "create", "--bundle", bundle.path, id));
      expectOk(bench.callWith({ env }, "--systemd-cgroup", "start", id));
      const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
      assert.deepEqual(
        calls().map(({ member }) => member),
        ["Hello", "AddMatch", "Subscribe", "StartTransientUnit"],
      );
      const [unit, , properties] = (calls()[3]?.body ?? []) as [string, string, [string, { value: unknown }][]];
      const given = new Map(properties.map(([key, { value }]) => [key, value]));
      assert.equal(unit, `teu-${name}.scope`);
      assert.deepEqual([given.get("PIDs"), given.get("Slice"), given.get("Delegate")], [[pid], "teutest.slice", true]);
      const within = `/teutest.slice/teu-${name}.scope`;
      assert.ok(readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(within));
      if (existsSync("/sys/fs/cgroup/memory"))
        assert.equal(readFileSync(`/sys/fs/cgroup/memory${within}/memory.limit_in_bytes`, "utf8").trim(), "33554432");
      expectOk(bench.callWith({ env }, "update", "--pids-limit", "9", id));
      assert.equal(calls().at(-1)?.member, "SetUnitProperties");
      expectOk(bench.callWith({ env }, "delete", "--force", id));
      assert.deepEqual(
        calls()
          .slice(-2)
          .map(({ member }) => member),
        ["StopUnit", "ResetFailedUnit"],
      );
      const left = spawnSync("find", ["/sys/fs/cgroup", "-name", `teu-${name}.scope`], { encoding: "utf8" }).stdout;
      assert.equal(left, "");
    } finally {
      bench.dispose();
      // The slice is systemd's, which is not there to remove it.
      spawnSync("find", ["/sys/fs/cgroup", "-depth", "-name", "teutest.slice", "-exec", "rmdir", "{}", ";"]);
    }
  },
);

test("systemd driver: a clear error at once where no systemd runs", { skip: obstacle }, (context) => {
  if (existsSync("/run/systemd/system")) return context.skip("systemd runs here");
  const bench = new Bench(RUNTIME);
  try {
    const { err } = expectFailure(
      bench.call("--systemd-cgroup", "run", "--bundle", bench.script("true").path, bench.id()),
    );
    assert.match(err, /systemd not running on this host, cannot use systemd cgroups manager/);
  } finally {
    bench.dispose();
  }
});
