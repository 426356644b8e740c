// cgroups: limits are set and hold, everything is in them, nothing is left (runtime-spec, "Control groups").

import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LinuxResources, Spec } from "@teu/specs/runtime";
import { type RuntimeCase, Skip, expectEqual, expectFailure, expectOk, withLinux } from "../case.ts";

const withResources =
  (resources: LinuxResources, path: string) =>
  (spec: Spec): Spec =>
    withLinux(spec, { resources: { ...spec.linux?.resources, ...resources }, cgroupsPath: path });

/** The file of the container's cgroup on v1 or v2. */
function cgroupFile(path: string, controller: string, v1: string, v2: string): string {
  const legacy = join("/sys/fs/cgroup", controller, path, v1);
  return existsSync(join("/sys/fs/cgroup", controller)) ? legacy : join("/sys/fs/cgroup", path, v2);
}

interface StatsEvent {
  readonly type: string;
  readonly id: string;
  readonly data: {
    readonly pids: { readonly current: number };
    readonly cpu: { readonly usage: { readonly total: number } };
    readonly memory: { readonly usage: { readonly usage: number } };
  };
}

/** Not a zombie, which it stays until this program's event loop runs. */
function isRunning(pid: number | undefined): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "cgroups: memory, pids and cpu limits are in the files, and gone with the container",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-a`;
      const id = bench.started(
        bench.script(
          "sleep 30",
          withResources(
            { memory: { limit: 33_554_432 }, pids: { limit: 17 }, cpu: { quota: 20_000, period: 100_000 } },
            path,
          ),
        ),
      );
      const memory = cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max");
      expectEqual(readFileSync(memory, "utf8").trim(), "33554432");
      expectEqual(readFileSync(cgroupFile(path, "pids", "pids.max", "pids.max"), "utf8").trim(), "17");
      expectOk(bench.call("delete", "--force", id));
      expectEqual(existsSync(memory), false);
    },
  },
  {
    name: "cgroups: pids limit holds",
    run: (bench) =>
      void expectFailure(
        bench.run(
          bench.script(
            "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait",
            withResources({ pids: { limit: 4 } }, `/teu-conf-${process.pid}-b`),
          ),
        ),
      ),
  },
  {
    name: "cgroups: exec is in the container's cgroup",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30", withResources({}, `/teu-conf-${process.pid}-c`)));
      expectEqual(
        expectOk(bench.call("exec", id, "/bin/sh", "-c", "cat /proc/self/cgroup")).out,
        expectOk(bench.call("exec", id, "/bin/sh", "-c", "cat /proc/1/cgroup")).out,
      );
    },
  },
  {
    name: "update: changes a limit",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-d`;
      const id = bench.started(bench.script("sleep 30", withResources({ memory: { limit: 33_554_432 } }, path)));
      expectOk(
        bench.callWith(
          { input: JSON.stringify({ memory: { limit: 50_331_648 }, pids: { limit: 9 } }) },
          "update",
          "--resources",
          "-",
          id,
        ),
      );
      expectEqual(
        readFileSync(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), "utf8").trim(),
        "50331648",
      );
      expectEqual(readFileSync(cgroupFile(path, "pids", "pids.max", "pids.max"), "utf8").trim(), "9");
    },
  },
  {
    name: "cgroups: a failed create leaves none",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-e`;
      const bundle = bench.bundle((spec) =>
        withResources({}, path)({ ...spec, process: { cwd: "/", args: ["/nope"] } }),
      );
      expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
      expectEqual(existsSync(cgroupFile(path, "memory", "tasks", "cgroup.procs")), false);
    },
  },
  {
    name: "events --stats: one line in runc's form",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30", withResources({}, `/teu-conf-${process.pid}-f`)));
      const outcome = bench.call("events", "--stats", id);
      // crun has no events.
      if (/unknown command/.test(outcome.err)) throw new Skip("no events command");
      const { type, id: named, data } = JSON.parse(expectOk(outcome).out) as StatsEvent;
      expectEqual([type, named, data.pids.current], ["stats", id, 1]);
      if (!(data.memory.usage.usage > 0 && data.cpu.usage.total > 0))
        throw new Error(`nothing was counted: ${outcome.out}`);
    },
  },
  {
    name: "events: an OOM kill is told, and the end of the container is the end",
    run: (bench) => {
      const id = bench.id();
      const bundle = bench.script(
        "dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 1",
        withResources({ memory: { limit: 20 << 20 } }, `/teu-conf-${process.pid}-g`),
      );
      expectOk(bench.call("create", "--bundle", bundle.path, id));
      const out = join(bench.directory, "events");
      const root = join(bench.directory, "root");
      const child = spawn(bench.runtime, ["--root", root, "events", "--interval", "10ms", id], {
        stdio: ["ignore", openSync(out, "w"), openSync(`${out}.err`, "w")],
      });
      bench.defer(() => void child.kill("SIGKILL"));
      bench.until("first line", () => readFileSync(out, "utf8") !== "" || readFileSync(`${out}.err`, "utf8") !== "");
      if (/unknown command/.test(readFileSync(`${out}.err`, "utf8"))) throw new Skip("no events command");
      expectOk(bench.call("start", id));
      bench.until("OOM is told", () => readFileSync(out, "utf8").includes('{"type":"oom","id":'));
      bench.until("stopped", () => bench.status(id) === "stopped");
      // runc goes on until the cgroup is gone.
      expectOk(bench.call("delete", id));
      bench.until("events has ended", () => !isRunning(child.pid));
    },
  },
  {
    name: "devices: only what is allowed can be opened",
    cve: "device list",
    run: (bench) => {
      if (!existsSync("/dev/vda") && !existsSync("/dev/sda") && !existsSync("/dev/loop0"))
        throw new Skip("no block device on this host");
      const numbers = existsSync("/dev/vda") ? "$(cat /sys/block/vda/dev | tr : ' ')" : "8 0";
      const bundle = bench.script(
        `mknod /tmp/d b ${numbers} && ! dd if=/tmp/d of=/dev/null bs=1 count=1 2>/dev/null && dd if=/dev/zero of=/dev/null bs=1 count=1`,
        (spec) => ({
          ...spec,
          root: { path: "rootfs" },
          process: {
            ...spec.process,
            cwd: "/",
            capabilities: { bounding: ["CAP_MKNOD"], effective: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"] },
          },
        }),
      );
      expectOk(bench.run(bundle));
    },
  },
];
